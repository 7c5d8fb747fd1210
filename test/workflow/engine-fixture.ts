// What the engine's tests share: a worker with the DAGs given, on a task queue of its own, and a client beside it.

import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { inject } from 'vitest';
import { readRunRecord } from '../../activities/engine/run-record.js';
import type { RunRecord } from '../../activities/engine/run-record-schema.js';
import type { Dag } from '../../dag/dag.js';
import { runKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import type { Systems } from '../../systems/systems.js';
import { installRuntime } from '../../workers/runtime.js';
import { createWorker, type PawlWorker, type PawlWorkerOptions } from '../../workers/create-worker.js';

// A test says what it expects of failures; their log lines would bury what it says.
installRuntime(pino({ level: process.env.PAWL_LOG_LEVEL ?? 'fatal' }));

export interface Bench {
  readonly client: Client;
  readonly taskQueue: string;
  readonly objects: ObjectStore;
  /** Starts a run by its workflow type, as the Temporal UI does: one JSON value. */
  start(name: string, input?: unknown, options?: { workflowId?: string }): Promise<Run>;
  /** One at a time: a process cannot have two workers on one task queue. */
  addWorker(options?: Partial<PawlWorkerOptions>): Promise<PawlWorker & { stop(): Promise<void> }>;
  close(): Promise<void>;
}

export type Run = Awaited<ReturnType<Client['workflow']['start']>>;

export interface EngineResult {
  readonly outcome: string;
  readonly output: unknown;
  readonly steps: Readonly<Record<string, string>>;
}

/** A bucket of its own on the S3 server of the tests. */
export async function openBucket(): Promise<S3ObjectStore> {
  const { endpoint, region, accessKeyId, secretAccessKey } = inject('s3');
  const store = new S3ObjectStore({
    bucket: `engine-${randomUUID()}`,
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  await store.createBucketIfMissing();
  return store;
}

/** Systems with an object store alone: a task of these tests that touches another one has a defect. */
export const systemsWith = (objects: ObjectStore): Systems =>
  new Proxy({ environment: 'dev', objects } as Systems, {
    get(target, name) {
      if (name in target) return target[name as keyof Systems];
      throw new Error(`these tests have no system ${String(name)}`);
    },
  });

export async function openBench(
  dags: readonly Dag[],
  options: Partial<PawlWorkerOptions> & { readonly objects?: ObjectStore; readonly withoutWorker?: true } = {},
): Promise<Bench> {
  const { objects = new MemoryObjectStore(), withoutWorker, ...workerOptions } = options;
  const { address } = inject('temporal');
  const taskQueue = `test-${randomUUID()}`;
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const storage = workerOptions.externalStorage ?? null;
  const client = new Client({
    connection,
    ...(storage === null ? {} : { dataConverter: { externalStorage: storage } }),
  });
  const closing: (() => Promise<void>)[] = [];
  const bench: Bench = {
    client,
    taskQueue,
    objects,
    start: (name, input, { workflowId = `${name}-${randomUUID()}` } = {}) =>
      client.workflow.start(name, { taskQueue, workflowId, args: input === undefined ? [] : [input] }),
    async addWorker(more = {}) {
      const worker = await createWorker({
        connection: native,
        taskQueue,
        dags,
        systems: systemsWith(objects),
        logger: pino({ level: 'silent' }),
        externalStorage: null,
        deployWaitMs: 3_000,
        ...workerOptions,
        ...more,
      });
      const running = worker.run();
      const stop = async (): Promise<void> => {
        worker.shutdown();
        await running;
      };
      closing.push(stop);
      return { ...worker, stop };
    },
    async close() {
      for (const close of closing) await close();
      await native.close();
      await connection.close();
    },
  };
  if (withoutWorker === undefined) await bench.addWorker();
  return bench;
}

export const resultOf = async (run: Run): Promise<EngineResult> => (await run.result()) as EngineResult;

/** The failure that a run ended with. */
export async function failureOf(run: Run): Promise<Error & { type?: string; details?: unknown[] }> {
  try {
    await run.result();
  } catch (error) {
    return (error as Error & { cause: Error }).cause;
  }
  throw new Error(`${run.workflowId} did not fail`);
}

export async function recordOf(bench: Bench, run: Run): Promise<RunRecord> {
  const { type, runId } = await run.describe();
  const found = await readRunRecord(bench.objects, runKey('dev', type, runId));
  if (found === undefined) throw new Error(`${run.workflowId} has no run record`);
  return found.value;
}
