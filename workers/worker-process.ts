// A worker as the whole of a process: ends on SIGTERM and SIGINT, once its activities have ended or been handed back.

import { pino, stdSerializers } from 'pino';
import { SystemError } from '../dag/failures.js';
import { loadProject } from './project.js';
import { summarize } from './project-summary.js';
import { runWorker } from './run-worker.js';
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
    const project = await loadProject(root, files);
    const worker = await runWorker(project, logger);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => worker.shutdown());
    logger.info({ taskQueue: worker.taskQueue }, 'worker is ready');
    // Whoever started it waits for this, not for a line of the log.
    process.send?.({ ready: true, project: summarize(project) });
    await worker.done;
    process.exit(0);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { type, message } = error;
    logger.fatal({ type }, message);
    await new Promise((told) =>
      process.send === undefined ? told(undefined) : process.send({ failed: { type, message } }, told),
    );
    process.exit(1);
  }
}
