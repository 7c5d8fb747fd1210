// Temporal, as `pawl doctor` sees it: namespace, search attributes, workers on the task queue, and how quick a step can be.

import { hostname } from 'node:os';
import type { Connection } from '@temporalio/client';
import { isAlive } from '../../deploy/embedded/child-process.js';
import { missingSearchAttributes } from '../../workers/check-search-attributes.js';
import type { Session } from '../session.js';
import type { Finding } from './finding.js';
import { livingPollers } from './living-pollers.js';

const system = 'Temporal';
/** Each shard's queue is read at most 20 times a second by default; with so many, one run does not notice. */
const enoughShards = 64;
const workflowTaskQueue = 1;

/** Throws `Unavailable` where it does not answer. */
export async function checkTemporal(session: Session): Promise<Finding[]> {
  const { address, namespace } = await session.temporal();
  const connection = await session.connection();
  const { environment } = await session.settings();
  const missing = await missingSearchAttributes(connection, namespace);
  return [
    { system, state: 'good', explanation: `${address} answers, namespace ${namespace}` },
    missing.length === 0
      ? { system, state: 'good', explanation: 'all search attributes are registered' }
      : {
          system,
          state: 'wrong',
          explanation: `the search attributes ${missing.join(', ')} are missing: "pawl setup" registers them`,
        },
    await checkWorkers(connection, namespace, `pawl-${environment}`),
    ...(await checkShards(session, connection)),
  ];
}

async function checkWorkers(connection: Connection, namespace: string, name: string): Promise<Finding> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name },
    taskQueueType: workflowTaskQueue,
  });
  const count = livingPollers(pollers ?? [], { nowMs: Date.now(), host: hostname(), isAlive }).length;
  return count === 0
    ? {
        system,
        state: 'wrong',
        explanation: `no worker polls the task queue ${name}: "pawl dev" or "pawl worker" starts one`,
      }
    : {
        system,
        state: 'good',
        explanation: `${count === 1 ? 'a worker polls' : `${count} workers poll`} the task queue ${name}`,
      };
}

/** A server of one's own knows the flags already. */
async function checkShards(session: Session, connection: Connection): Promise<Finding[]> {
  if ((await session.local()) !== undefined) return [];
  const { historyShardCount } = await connection.workflowService.getClusterInfo({});
  const shards = historyShardCount ?? 0;
  if (shards === 0 || shards >= enoughShards) return [];
  return [
    {
      system,
      state: 'hint',
      explanation: `it has ${shards} history shards, so every remote step waits about 100 ms; a server for development is quicker with --dynamic-config-value history.transferProcessorMaxPollRPS=5000, and the same for timerProcessor and visibilityProcessor`,
    },
  ];
}
