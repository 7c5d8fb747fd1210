// Temporal's own log lines, in the log that a worker's tasks write to. One runtime a process: call it before any worker is made.

import { Runtime, DefaultLogger, type LogLevel } from '@temporalio/worker';
import type { Logger } from 'pino';

const levels: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** Throws where the process has a runtime already. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      logger[levels[level]]({ ...meta, component: 'temporal' }, message);
    }),
    // Its drivers handle the signals: a worker stops after what it was composed with is told.
    shutdownSignals: [],
  });
}
