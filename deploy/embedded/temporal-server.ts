// Runs a real Temporal server for one machine: `temporal server start-dev` on loopback, tuned so that a step costs milliseconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { SystemError } from '../../dag/failures.js';
import { searchAttributes } from '../../workers/search-attributes.js';
import { startGuardedProcess, type GuardedProcess } from './child-process.js';
import { findProgram } from './find-program.js';
import { choosePort } from './ports.js';
import { servers } from './servers.js';

const startTimeoutMs = 60_000;

// The defaults are meant for clusters of hundreds of shards; on one machine they make every remote step wait about 100 ms.
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'history.visibilityProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxTimeShift="10ms"',
  'system.enableActivityEagerExecution=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

const attributeTypes = { KEYWORD: 'Keyword', DATETIME: 'Datetime' } as const;

export interface TemporalServerOptions {
  /** A SQLite file, so that runs survive a restart; without one everything is in memory. */
  readonly dataFile?: string;
  /** A free one by default. */
  readonly port?: number;
  /** The Web UI's port, 0 for a free one; without it there is no UI. */
  readonly uiPort?: number;
  /** `default` by default. */
  readonly namespace?: string;
  readonly logFile?: string;
  readonly onProgress?: (line: string) => void;
}

export interface TemporalServer {
  /** `127.0.0.1:PORT`, for gRPC. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl?: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
  /** Resolves with how it ended. */
  readonly waitUntilEnded: () => Promise<string>;
}

/** Starts the server and returns once it answers with Pawl's search attributes registered; throws Unavailable otherwise. */
export const startTemporalServer = async (options: TemporalServerOptions = {}): Promise<TemporalServer> => {
  const { dataFile, namespace = 'default', logFile, onProgress } = options;
  const program = await findProgram(servers.temporal, { onProgress });
  const port = await choosePort(options.port, 'Temporal');
  const uiPort = options.uiPort === undefined ? undefined : await choosePort(options.uiPort, "Temporal's Web UI");
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--namespace', namespace];
  args.push('--log-format', 'json', '--disable-config-file', '--disable-config-env');
  if (uiPort === undefined) args.push('--headless');
  else args.push('--ui-ip', '127.0.0.1', '--ui-port', String(uiPort));
  if (dataFile !== undefined) args.push('--db-filename', dataFile);
  for (const value of dynamicConfig) args.push('--dynamic-config-value', value);
  for (const [name, type] of Object.entries(searchAttributes)) {
    args.push('--search-attribute', `${name}=${attributeTypes[type]}`);
  }
  const child = await startGuardedProcess({
    command: program.path,
    args,
    ...(logFile === undefined ? {} : { logFile }),
  });
  const address = `127.0.0.1:${port}`;
  try {
    await waitUntilReady(child, address, namespace);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return {
    address,
    namespace,
    ...(uiPort === undefined ? {} : { uiUrl: `http://127.0.0.1:${uiPort}` }),
    pid: child.pid,
    stop: () => child.stop(),
    waitUntilEnded: () => child.waitUntilEnded(),
  };
};

const waitUntilReady = async (child: GuardedProcess, address: string, namespace: string): Promise<void> => {
  const deadline = Date.now() + startTimeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    const ended = child.ended();
    if (ended !== undefined) {
      throw new SystemError(
        'Unavailable',
        `Temporal ended before it answered (${ended}): ${lastLine(await child.tail())}`,
      );
    }
    try {
      if (await isReady(address, namespace)) return;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new SystemError('Unavailable', `Temporal at ${address} did not answer within ${startTimeoutMs / 1000} s`, {
    cause: last,
  });
};

/** Whether the frontend is healthy and knows the namespace with every search attribute of Pawl. */
const isReady = async (address: string, namespace: string): Promise<boolean> => {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 });
  try {
    return await connection.withDeadline(Date.now() + 2_000, async () => {
      await connection.workflowService.describeNamespace({ namespace });
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      return Object.keys(searchAttributes).every((name) => name in customAttributes);
    });
  } finally {
    await connection.close();
  }
};

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 400) ?? 'no output';
