import { expect, test } from 'vitest';
import { observeTrial, type ObserverMemory } from '../../activities/rollout/observe.js';
import type { ObserveRequest } from '../../activities/rollout/protocol.js';
import { rolloutSettings } from '../../activities/schemas/rollout-settings.js';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import { firstPromotion, nameChallenger, shiftWeight } from '../../systems/endpoint/transitions.js';
import { MemoryMetrics } from '../../systems/metrics/memory.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { MemoryServing } from '../../systems/serving/memory.js';
import type { Systems } from '../../systems/systems.js';

const model = 'support-bot';
const leaseMs = 400;

/** Version 2 on trial at 10 % over two routers that hold the lease, watched by an observer. */
async function openTrial() {
  const endpoints = new ObjectStoreEndpoints(new MemoryObjectStore(), 'dev');
  const serving = new MemoryServing({ endpoints, routers: 2 });
  const metrics = new MemoryMetrics();
  const act = (operationId: string) => ({ operationId, by: 'ada', reason: 'a test', at: new Date().toISOString() });
  const first = firstPromotion(null, act('1'), { environment: 'dev', model, version: 1, leaseMs });
  const named = nameChallenger(first.allowed ? first.next : null, act('2'), { version: 2, trial: 'trial' });
  const shifted = shiftWeight(named.allowed ? named.next : null, act('3'), { trial: 'trial', weightPercent: 10 });
  for (const step of [first, named, shifted]) {
    if (!step.allowed) throw new Error(step.refusal);
    await endpoints.write(model, step.next, (await endpoints.read(model)) ?? null);
  }
  const artifact = { uri: 's3://memory/2/', digest: '2'.repeat(64), sizeBytes: 1 };
  const wants = { gpus: 0, memoryBytes: 0 };
  const launch = {
    model,
    artifact,
    command: ['serve'],
    compute: 'local',
    wants,
    environment: {},
    healthPath: '/health',
  };
  await serving.launch({ ...launch, version: 2, key: 'two' });
  for (const router of serving.memoryRouters) {
    await router.sync(model);
    await router.renewLease(model, { generation: 3, trial: 'trial', leaseMs });
  }
  const systems = { endpoints, serving, metrics } as unknown as Systems;
  const watch = (more: Partial<ObserveRequest> = {}, memory?: ObserverMemory) =>
    observeTrial(
      systems,
      {
        ...{ model, trial: 'trial', generation: 3, leaseMs, challenger: 2, champion: 1, weightPercent: 10 },
        ...{ dueAfterMs: 60_000, elapsedMs: 0, deadlineInMs: 60_000, paused: false, tally: null, baseline: null },
        settings: rolloutSettings.parse({ analysisIntervalMs: 20, minRequests: 100 }),
        ...more,
      },
      { signal: AbortSignal.timeout(10_000), memory, beat: () => undefined, warn: () => undefined },
    );
  return { serving, metrics, watch };
}

test('a router that never answered the observer has lost the lease, however well the others do', async () => {
  const { serving, watch } = await openTrial();
  const [, silent] = serving.memoryRouters;
  if (silent !== undefined) silent.away = true;
  expect(await watch()).toMatchObject({ kind: 'lease-expired', router: 'memory-1' });
});

test('an observer that comes after the lease ran out says so before anything else', async () => {
  const { metrics, watch } = await openTrial();
  metrics.setTraffic(model, 2, { requests: 500, errors: 500 });
  await new Promise((resolve) => setTimeout(resolve, leaseMs + 50));
  expect(await watch()).toMatchObject({ kind: 'lease-expired' });
});

test('counters that were reset are no data: the step is not passed by its end', async () => {
  const { metrics, watch } = await openTrial();
  for (const version of [1, 2])
    metrics.set(model, version, () => ({
      ...{ requests: 5_000, errors: 0, coveredMs: 10 },
      latency: { boundsMs: [10], counts: [5_000, 0] },
    }));
  const late = { dueAfterMs: 1_000, elapsedMs: 5_000, deadlineInMs: 500 };
  expect(await watch(late)).toMatchObject({ kind: 'deadline', judgement: { verdict: 'no-data' } });
});

test('a challenger that hangs is found out by the users who leave, before its step is over', async () => {
  const { metrics, watch } = await openTrial();
  metrics.setTraffic(model, 1, { requests: 5_000 });
  metrics.setTraffic(model, 2, { requests: 0, unanswered: 40 });
  const look = await watch({ dueAfterMs: 60_000, deadlineInMs: 500 });
  expect(look).toMatchObject({ kind: 'verdict', judgement: { verdict: 'fail' } });
});

test('metrics that do not answer neither pass nor fail', async () => {
  const { metrics, watch } = await openTrial();
  for (const version of [1, 2]) metrics.set(model, version, 'away');
  const late = { dueAfterMs: 1, deadlineInMs: 500 };
  expect(await watch(late)).toMatchObject({ kind: 'deadline', judgement: { verdict: 'no-data' } });
});

test('at a weight that leaves the champion no traffic, its earlier traffic is compared with', async () => {
  const { metrics, watch } = await openTrial();
  metrics.setTraffic(model, 2, { requests: 2_000 });
  metrics.setTraffic(model, 1, { requests: 0 });
  const due = { dueAfterMs: 1, deadlineInMs: 500 };
  expect(await watch(due)).toMatchObject({ kind: 'deadline', judgement: { verdict: 'no-data' } });
  const baseline = { requests: 2_000, errors: 10, latency: { boundsMs: [10], counts: [2_000, 0] } };
  expect(await watch({ ...due, baseline })).toMatchObject({ kind: 'verdict', judgement: { verdict: 'pass' } });
});
