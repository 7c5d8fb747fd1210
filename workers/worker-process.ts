// A worker as the whole of a process: ends on SIGTERM and SIGINT, once its activities have ended or been handed back.

import { pino, stdSerializers } from 'pino';
import { temporalSettings } from '../client/connect.js';
import { sentenceOf, systemErrorOf } from '../client/temporal-error.js';
import { connectWorker, startPatienceMs } from './connect.js';
import { installRuntime } from './runtime.js';

/** Does not return: the process ends with 0, or with 1 and a sentence in its log. */
export async function workerProcess(root: string, files: readonly string[]): Promise<never> {
  const logger = pino({
    level: process.env['PAWL_LOG_LEVEL'] ?? 'info',
    base: { pid: process.pid },
    serializers: { error: stdSerializers.err },
  });
  try {
    installRuntime(logger);
    const connecting = connectWorker(temporalSettings(), startPatienceMs);
    // Awaited by the worker, unless something else is wrong first.
    connecting.catch(() => undefined);
    const [{ loadProject }, { summarize }, { runWorker }] = await loadRest();
    const project = await loadProject(root, files);
    const worker = await runWorker(project, logger, { connecting });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => worker.shutdown());
    logger.info({ taskQueue: worker.taskQueue }, 'worker is ready');
    // Whoever started it waits for this, not for a line of the log.
    process.send?.({ ready: true, project: summarize(project) });
    await worker.done;
    process.exit(0);
  } catch (error) {
    const known = systemErrorOf(error);
    const { type, message } = known ?? { type: 'Internal', message: sentenceOf(error) };
    // Of what nobody expected, the place as well.
    logger.fatal({ type, ...(known === undefined ? { error } : {}) }, message);
    await new Promise((told) =>
      process.send === undefined ? told(undefined) : process.send({ failed: { type, message } }, told),
    );
    process.exit(1);
  }
}

/** The greater part of Pawl, which takes about as long to load as a connection takes to make. */
const loadRest = () => Promise.all([import('./project.js'), import('./project-summary.js'), import('./run-worker.js')]);
