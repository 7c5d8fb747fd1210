// One worker as a child process: started, and waited for until it works or says why it cannot.

import { createWriteStream } from 'node:fs';
import { z } from 'zod';
import { isFailureType, SystemError } from '../../dag/failures.js';
import { projectSummary, type ProjectSummary } from '../../workers/project-summary.js';
import { startGuardedProcess, type GuardedProcess } from '../embedded/child-process.js';
import { pawlProgram } from './pawl-program.js';

const said = z.union([
  z.object({ ready: z.literal(true), project: projectSummary }),
  z.object({ failed: z.object({ type: z.string(), message: z.string() }) }),
]);

/** As pino writes it. */
const fatal = /^\{"level":60,/;

export interface WorkerProcess extends GuardedProcess {
  readonly project: ProjectSummary;
}

export interface WorkerProcessOptions {
  readonly root: string;
  readonly files: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Receives each line of its log, but not why it does not start: that is thrown. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Answers once it polls. Throws what kept it from that: `InvalidInput` for a file that does not load, … */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const { root, files, environment, logFile, onLine } = options;
  const log = createWriteStream(logFile, { flags: 'a' });
  let isReady = false;
  let answer: (message: z.infer<typeof said>) => void = () => undefined;
  const answered = new Promise<z.infer<typeof said>>((resolve) => {
    answer = resolve;
  });
  const child = await startGuardedProcess({
    ...pawlProgram('workers/main', [root, ...files]),
    env: environment,
    cwd: root,
    onLine: (line) => {
      log.write(`${line}\n`);
      if (isReady || !fatal.test(line)) onLine?.(line);
    },
    onMessage: (message) => {
      const parsed = said.safeParse(message);
      if (!parsed.success) return;
      isReady ||= 'ready' in parsed.data;
      answer(parsed.data);
    },
  });
  void child.waitUntilEnded().then(() => log.end());
  const first = await Promise.race([answered, child.waitUntilEnded()]);
  if (typeof first === 'object' && 'ready' in first) return { ...child, project: first.project };
  const ending = await child.waitUntilEnded();
  if (typeof first === 'object') {
    const { type, message } = first.failed;
    throw new SystemError(isFailureType(type) ? type : 'Internal', message);
  }
  const lastLine = (await child.tail()).trim().split('\n').at(-1)?.slice(0, 400) ?? '';
  throw new SystemError('Internal', `The worker ended before it worked (${ending}): ${lastLine || `see ${logFile}`}`);
}
