// Temporal's own log lines, in the log that a worker's tasks write to. One runtime a process: call it before any worker is made.

import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogLevel } from '@temporalio/worker';
import type { Logger } from 'pino';

const levels: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

const retriesToldEveryMs = 30_000;

/** Every poller of a worker tells of every try while the server is away: one of them now and then is enough. */
function rarely(): (message: string) => boolean {
  let toldMs = -Infinity;
  return (message) => {
    if (!/^gRPC call \w+ retried/.test(message)) return false;
    const isTooEarly = performance.now() - toldMs < retriesToldEveryMs;
    if (!isTooEarly) toldMs = performance.now();
    return isTooEarly;
  };
}

/** Throws where the process has a runtime already. */
export function installRuntime(logger: Logger): void {
  const isTooOften = rarely();
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const { error, taskToken: _, ...told } = (meta ?? {}) as Record<string, unknown>;
      if (isTooOften(message)) return;
      logger[levels[level]]({ ...told, ...(error !== undefined && { err: error }), component: 'temporal' }, message);
    }),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
    // Its drivers handle the signals: a worker stops after what it was composed with is told.
    shutdownSignals: [],
  });
}
