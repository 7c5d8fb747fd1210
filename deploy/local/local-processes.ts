// The gateway and the worker of one machine, each kept running.

import { KeptProcess } from './kept-process.js';
import { startGatewayProcess, type GatewayProcessOptions } from './gateway-process.js';
import type { LocalEvent } from './local-event.js';
import { freshLog } from './log-files.js';
import { startWorkerProcess, type WorkerProcess, type WorkerProcessOptions } from './worker-process.js';
import type { GuardedProcess } from '../embedded/child-process.js';

type OnEvent = (event: LocalEvent) => void;

export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const gatewayGraceMs = 5_000;
const workerGraceMs = 10_000;

/** Not started yet. */
export async function keptGateway(
  root: string,
  options: Omit<GatewayProcessOptions, 'logFile'>,
  onEvent: OnEvent,
): Promise<KeptProcess<GuardedProcess>> {
  const logFile = await freshLog(root, 'gateway');
  return new KeptProcess({
    graceMs: gatewayGraceMs,
    start: () => startGatewayProcess({ ...options, logFile }),
    onDeath: (ending) => onEvent({ kind: 'died', message: `the gateway ended (${ending}) and is started anew` }),
    onFailure: (error) => onEvent({ kind: 'lost', message: sentenceOf(error) }),
  });
}

interface KeptWorkerOptions extends Omit<WorkerProcessOptions, 'logFile' | 'environment'> {
  /** Asked at every start: the Python for jobs may be found later. */
  readonly environment: () => NodeJS.ProcessEnv;
}

/** Not started yet. */
export async function keptWorker(options: KeptWorkerOptions, onEvent: OnEvent): Promise<KeptProcess<WorkerProcess>> {
  const logFile = await freshLog(options.root, 'worker');
  return new KeptProcess({
    graceMs: workerGraceMs,
    start: () => startWorkerProcess({ ...options, logFile, environment: options.environment() }),
    onDeath: (ending) => onEvent({ kind: 'died', message: `the worker ended (${ending}) and is started anew` }),
    onFailure: (error) => onEvent({ kind: 'lost', message: `the worker does not start: ${sentenceOf(error)}` }),
  });
}
