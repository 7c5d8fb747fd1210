// What the rollout's tests share: a worker with systems in memory on a real Temporal server, and the words to tell a story with.

import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { expect, inject } from 'vitest';
import type { WorkflowStepEnvelope } from '../../activities/engine/protocol.js';
import { canaryDeploy } from '../../activities/canary-deploy.js';
import { rollback } from '../../activities/rollback.js';
import { createRolloutActivities } from '../../activities/rollout/rollout-activities.js';
import type { RolloutView } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { rolloutSettings, type RolloutSettingsInput } from '../../activities/schemas/rollout-settings.js';
import { errorRate } from '../../stats/canary.js';
import { stepKey } from '../../dag/step-key.js';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { firstPromotion } from '../../systems/endpoint/transitions.js';
import { MemoryMetrics } from '../../systems/metrics/memory.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { ObjectStoreRegistry } from '../../systems/registry/object-store.js';
import { MemoryServing } from '../../systems/serving/memory.js';
import type { Systems } from '../../systems/systems.js';
import { createWorker } from '../../workers/create-worker.js';
import { installRuntime } from '../../workers/runtime.js';

installRuntime(pino({ level: process.env.PAWL_LOG_LEVEL ?? 'fatal' }));

export interface Stage {
  readonly client: Client;
  readonly taskQueue: string;
  readonly model: string;
  readonly systems: Systems;
  readonly serving: MemoryServing;
  readonly metrics: MemoryMetrics;
  readonly endpoints: ObjectStoreEndpoints;
  readonly registry: ObjectStoreRegistry;
  startWorker(): Promise<void>;
  /** In order, as a deploy does it. */
  stopWorkers(): Promise<void>;
  close(): Promise<void>;
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

/** Systems with two registered versions; version 1 is the champion unless `champion` is false. */
export async function openStage(options: { champion?: boolean; routers?: number } = {}): Promise<Stage> {
  const { address } = inject('temporal');
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const client = new Client({ connection });
  const taskQueue = `rollout-${randomUUID()}`;
  // The environment is part of every id, so tests do not meet on the shared server.
  const environment = `e${randomUUID().slice(0, 8)}`;
  const model = 'support-bot';
  const objects = new MemoryObjectStore();
  const endpoints = new ObjectStoreEndpoints(objects, environment);
  const registry = new ObjectStoreRegistry(objects, { environment });
  const serving = new MemoryServing({ endpoints, routers: options.routers ?? 1 });
  const metrics = new MemoryMetrics();
  const systems: Systems = { environment, objects, endpoints, registry, serving, metrics, compute: noCompute };
  for (const digit of ['1', '2', '3']) await registry.register(model, versionRequest(digit));
  const closing: (() => Promise<void>)[] = [];
  const stage: Stage = {
    client,
    taskQueue,
    model,
    systems,
    serving,
    metrics,
    endpoints,
    registry,
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
    throw new Error('these tests have no compute');
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

export const rolloutId = ({ systems, model }: Stage): string => `rollout/${systems.environment}/${model}`;

/** Asks for a rollout as a run's step does; the same run asks the same thing again under the same id. */
export function request(stage: Stage, input: Record<string, unknown>, runId: string = randomUUID()) {
  const id = 'version' in input ? 'canary-deploy' : 'rollback';
  const key = stepKey(runId, id);
  const envelope = {
    input: { model: stage.model, rollout: quick(), ...input },
    run: {
      dag: 'model-lifecycle',
      environment: stage.systems.environment,
      workflowId: `run-${runId}`,
      runId,
      logicalDate: '2026-01-01T00:00:00.000Z',
      trigger: 'manual',
      by: 'ada',
    },
    step: { id, key },
  } as unknown as WorkflowStepEnvelope;
  return stage.client.workflow.start('requestRollout', {
    workflowId: `request-${key}`,
    taskQueue: stage.taskQueue,
    args: [envelope],
  });
}

export type Asked = Awaited<ReturnType<typeof request>>;
export const outcomeOf = async (asked: Asked): Promise<RolloutOutcome> => (await asked.result()) as RolloutOutcome;

export const endpointOf = async ({ endpoints, model }: Stage): Promise<EndpointState | undefined> =>
  (await endpoints.read(model))?.state;

export const view = (stage: Stage): Promise<RolloutView> =>
  stage.client.workflow.getHandle(rolloutId(stage)).query<RolloutView>('state');

/** Waits until the rollout's view says so. */
export async function until(stage: Stage, says: (view: RolloutView) => boolean): Promise<void> {
  await expect.poll(async () => view(stage).then(says, () => false), { timeout: 20_000, interval: 30 }).toBe(true);
}

export const tell = (stage: Stage, word: string, version: number): Promise<string> =>
  stage.client.workflow
    .getHandle(rolloutId(stage))
    .executeUpdate<string, [unknown]>(word, { args: [{ version, by: 'grace', reason: 'a test' }] });

export const kindsOf = async ({ endpoints, model }: Stage): Promise<string[]> => {
  const kinds: string[] = [];
  for await (const { change } of endpoints.history(model)) kinds.push(change.kind);
  return kinds;
};

/** What must hold whenever a rollout has ended: aliases mirror the endpoint, only the champion runs, and all goes to it. */
export async function expectAtRest(stage: Stage): Promise<void> {
  const { registry, model, serving } = stage;
  const state = await endpointOf(stage);
  expect(state?.challenger ?? null).toBeNull();
  for (const alias of ['champion', 'previous', 'challenger'] as const)
    expect([alias, (await registry.alias(model, alias))?.version ?? null]).toEqual([alias, state?.[alias] ?? null]);
  expect(await serving.launched(model)).toEqual(state?.champion == null ? [] : [state.champion]);
  if (state?.champion != null)
    for (const router of serving.memoryRouters) expect(router.shares(model)).toEqual({ champion: 100, challenger: 0 });
}

export const healthy = (stage: Stage, version: number): void =>
  stage.metrics.setTraffic(stage.model, version, { requests: 1_000, errors: 1 });
