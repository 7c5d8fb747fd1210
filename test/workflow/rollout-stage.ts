// Where a rollout is played: a worker with systems in memory on a real Temporal server, for tests and for the recorder of histories.

import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { canaryDeploy } from '../../activities/canary-deploy.js';
import { rollback } from '../../activities/rollback.js';
import { createRolloutActivities } from '../../activities/rollout/rollout-activities.js';
import { rolloutSettings, type RolloutSettingsInput } from '../../activities/schemas/rollout-settings.js';
import { errorRate } from '../../stats/canary.js';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import { firstPromotion } from '../../systems/endpoint/transitions.js';
import { MemoryMetrics } from '../../systems/metrics/memory.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { ObjectStoreRegistry } from '../../systems/registry/object-store.js';
import { MemoryServing } from '../../systems/serving/memory.js';
import type { Systems } from '../../systems/systems.js';
import { createWorker, taskQueueOf, type PawlWorkerOptions } from '../../workers/create-worker.js';

export interface Stage {
  readonly client: Client;
  readonly taskQueue: string;
  readonly model: string;
  readonly systems: Systems;
  readonly serving: MemoryServing;
  readonly metrics: MemoryMetrics;
  readonly endpoints: ObjectStoreEndpoints;
  readonly registry: ObjectStoreRegistry;
  /** For the next run that asks; no other stage has it. */
  nextRunId(): string;
  startWorker(): Promise<void>;
  /** In order, as a deploy does it. */
  stopWorkers(): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** Whether version 1 is the champion already; true unless set. */
  readonly champion?: boolean;
  /** One unless set. */
  readonly routers?: number;
  /** Part of every id, so that stages do not meet on one server: a new one unless set. */
  readonly environment?: string;
  readonly temporal?: PawlWorkerOptions['temporal'];
}

export const quick = (settings: RolloutSettingsInput = {}) =>
  rolloutSettings.parse({
    weights: [10, 100],
    pauseMs: 300,
    minRequests: 100,
    deadlineMs: 20_000,
    leaseMs: 4_000,
    drainMs: 100,
    analysisIntervalMs: 100,
    readyTimeoutMs: 5_000,
    rules: [errorRate({ maxIncrease: 0.05 })],
    ...settings,
  });

/** Systems with three registered versions, and a worker on the Temporal server at `address`. */
export async function openStageAt(address: string, options: StageOptions = {}): Promise<Stage> {
  const { environment = `e${randomUUID().slice(0, 8)}`, temporal = {} } = options;
  const [connection, native] = await Promise.all([
    // A history as long as Temporal lets it grow is larger than gRPC's usual limit.
    Connection.connect({ address, channelArgs: { 'grpc.max_receive_message_length': -1 } }),
    NativeConnection.connect({ address }),
  ]);
  const client = new Client({ connection });
  const taskQueue = taskQueueOf(environment);
  const model = 'support-bot';
  const objects = new MemoryObjectStore();
  const endpoints = new ObjectStoreEndpoints(objects, environment);
  const registry = new ObjectStoreRegistry(objects, { environment });
  const serving = new MemoryServing({ endpoints, routers: options.routers ?? 1 });
  const metrics = new MemoryMetrics();
  const systems: Systems = { environment, objects, endpoints, registry, serving, metrics, compute: noCompute };
  for (const digit of ['1', '2', '3']) await registry.register(model, versionRequest(digit));
  const closing: (() => Promise<void>)[] = [];
  let runs = 0;
  const stage: Stage = {
    client,
    taskQueue,
    model,
    systems,
    serving,
    metrics,
    endpoints,
    registry,
    nextRunId: () => `${environment}-${++runs}`,
    async startWorker() {
      const worker = await createWorker({
        connection: native,
        taskQueue,
        dags: [],
        tasks: [canaryDeploy, rollback],
        models: new Map([[model, { settings: { rollout: quick() } }]]),
        systems,
        activities: createRolloutActivities({ systems, client }),
        logger: pino({ level: 'silent' }),
        externalStorage: null,
        temporal,
      });
      const running = worker.run();
      closing.push(async () => {
        worker.shutdown();
        await running;
      });
    },
    async stopWorkers() {
      for (const close of closing.splice(0)) await close();
    },
    async close() {
      await stage.stopWorkers();
      await native.close();
      await connection.close();
    },
  };
  if (options.champion !== false) await crown(stage, 1);
  await stage.startWorker();
  return stage;
}

const noCompute: Systems['compute'] = {
  names: [],
  get: () => {
    throw new Error('this stage has no compute');
  },
};

const versionRequest = (digit: string) => ({
  artifact: { uri: `s3://memory/${digit}/`, digest: digit.repeat(64), sizeBytes: 1 },
  lineage: { datasetId: 'd', codeVersion: 'c', settingsDigest: 's', workflowId: 'w', runId: 'r' },
  metrics: {},
  verdict: {},
  serve: { command: ['serve', '{port}'], probe: { path: '/v1/completions', bodies: ['{}', '{}'] } },
  by: 'test',
});

/** Makes a version champion as an earlier rollout would have left it. */
async function crown({ endpoints, model, systems, serving, registry }: Stage, version: number): Promise<void> {
  const act = { operationId: 'before/1', by: 'test', reason: 'before the test', at: new Date().toISOString() };
  const first = firstPromotion(null, act, { environment: systems.environment, model, version, leaseMs: 4_000 });
  if (!first.allowed) throw new Error(first.refusal);
  await endpoints.write(model, first.next, null);
  await registry.setAlias(model, 'champion', { version, generation: 1, by: 'test', reason: 'before the test' });
  const places = { gpus: 0, memoryBytes: 0 };
  const { artifact } = await registry.version(model, version);
  await serving.launch({
    ...{ model, version, artifact, command: ['serve'], compute: 'local', wants: places, environment: {} },
    ...{ healthPath: '/health', key: 'before' },
  });
  for (const router of serving.memoryRouters) await router.sync(model);
}
