// The reaper over hosts and stores within this process: trouble with one object, host or model keeps nothing else waiting.

import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hostKeyOf, type JobClaim } from '../../activities/remote-job/claim.js';
import { SystemError } from '../../dag/failures.js';
import { computeSystems } from '../../systems/compute/computes.js';
import { MemoryCompute } from '../../systems/compute/memory.js';
import type { Compute, JobListing } from '../../systems/compute/port.js';
import type { EndpointReading } from '../../systems/endpoint/port.js';
import { jobClaimKey, servingKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { GatewayServing } from '../../systems/serving/gateway.js';
import { MemoryServing } from '../../systems/serving/memory.js';
import type { LaunchRequest, Serving } from '../../systems/serving/port.js';
import { ServingRecords } from '../../systems/serving/records.js';
import type { Systems } from '../../systems/systems.js';
import { Reaper } from '../../workers/reaper.js';
import { endpointOf } from '../fixtures/endpoint-states.js';
import { recordOf } from '../fixtures/one-upstream.js';

const environment = 'dev';
const wants = { gpus: 0, memoryBytes: 0 };
const program = '{python}';
const runs = { [program]: ({ signal }: { signal: AbortSignal }) => untilAborted(signal) };
const untilAborted = (signal: AbortSignal): Promise<number> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(143)));

let objects: MemoryObjectStore;
let hosts: MemoryCompute;
let serving: MemoryServing;
let models: string[];
let endpoints: Record<string, () => Promise<EndpointReading | undefined>>;
/** Workflows that Temporal knows, and whether they run. */
let workflows: Map<string, 'RUNNING' | 'TERMINATED'>;
let told: string[];

beforeEach(() => {
  objects = new MemoryObjectStore();
  hosts = new MemoryCompute({ name: 'hosts', programs: runs });
  models = [];
  endpoints = {};
  serving = new MemoryServing({ endpoints: { read: async () => undefined } });
  workflows = new Map();
  told = [];
});

const temporal = (): Client => {
  const getHandle = (workflowId: string) => ({
    async describe() {
      const name = workflows.get(workflowId);
      if (name === undefined) throw new WorkflowNotFoundError('not found', workflowId, undefined);
      return { runId: 'run', status: { name }, raw: {} };
    },
  });
  async function* list() {}
  return { workflow: { getHandle, list } } as unknown as Client;
};

const reaper = (over: { computes?: readonly Compute[]; serving?: Serving } = {}): Reaper => {
  const systems = {
    environment,
    objects,
    compute: computeSystems(over.computes ?? [hosts]),
    serving: over.serving ?? serving,
    endpoints: { read: (model: string) => endpoints[model]?.() },
    registry: {
      async *models() {
        yield* models;
      },
    },
  } as unknown as Systems;
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void told.push(message) };
  return new Reaper({ systems, client: temporal(), log, orphanedServiceMs: 0 });
};

const listed = async (): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of hosts.list()) keys.push(key);
  return keys;
};

const launch = (model: string, version: number): LaunchRequest => ({
  model,
  version,
  artifact: { uri: 's3://bucket/artifact/', digest: '0'.repeat(64), sizeBytes: 1 },
  command: ['serve'],
  compute: 'hosts',
  wants,
  environment: {},
  healthPath: '/health',
  key: `serve-${model}-${version}`,
});

/** A batch job whose run was terminated. */
async function doomedJob(key: string): Promise<void> {
  const claim: JobClaim = {
    schema: 1,
    key,
    run: { dag: 'dag', workflowId: key, runId: 'run' },
    current: {
      ...{ compute: 'hosts', host: 'memory', epoch: 1, submission: 1 },
      ...{ settingsDigest: '', claimedAt: '2026-01-01T00:00:00.000Z', submitted: true },
    },
    earlier: [],
    released: false,
  };
  await objects.put(jobClaimKey(environment, key), JSON.stringify(claim));
  workflows.set(key, 'TERMINATED');
  const job = { key: hostKeyOf(environment, key), epoch: 1, kind: 'batch' as const, command: [program] };
  await hosts.submit({ ...job, environment: {}, files: {}, wants, timeLimitMs: 60_000 });
}

describe('ends jobs whose run is closed', () => {
  test('also where the claim of another job cannot be read', async () => {
    await doomedJob('run-1.train.0');
    await doomedJob('run-2.train.0');
    await objects.put(jobClaimKey(environment, 'run-1.train.0'), '{"schema":7}');
    await reaper().pass();
    expect(await listed()).toEqual(['dev/run-1.train.0']);
    expect(told).toContain('a job could not be looked at or ended');
  });

  test('also where another compute refuses the login', async () => {
    const refuses = Object.assign(new MemoryCompute({ name: 'another', programs: {} }), {
      async *list(): AsyncGenerator<JobListing> {
        throw new SystemError('PermissionDenied', 'The host refuses the key.');
      },
    });
    await doomedJob('run-1.train.0');
    await reaper({ computes: [refuses, hosts] }).pass();
    expect(await listed()).toEqual([]);
    expect(told).toContain('the jobs of a compute could not be listed whole');
  });
});

describe('takes down services that no endpoint names', () => {
  test('also where the endpoint of another model waits to be reconciled', async () => {
    models = ['broken', 'bot'];
    endpoints['broken'] = () => Promise.reject(new SystemError('Corrupt', 'The endpoint object is lost.'));
    endpoints['bot'] = async () => ({ state: endpointOf({ champion: 2 }), etag: '' });
    for (const [model, version] of [
      ['broken', 1],
      ['bot', 1],
      ['bot', 2],
    ] as const)
      await serving.launch(launch(model, version));
    await reaper().pass();
    expect(await serving.launched('broken')).toEqual([1]);
    expect(await serving.launched('bot')).toEqual([2]);
    expect(told).toContain('the services of a model could not be looked at');
  });
});

describe('looks again before it takes a service down', () => {
  beforeEach(async () => {
    models = ['bot'];
    endpoints['bot'] = async () => ({ state: endpointOf({ champion: 3 }), etag: '' });
    for (const version of [1, 2]) await serving.launch(launch('bot', version));
  });
  const rollout = 'rollout/dev/bot';
  /** Something happens while the first of two services is taken down. */
  const meanwhile = (happens: () => void): Serving =>
    Object.assign(Object.create(serving) as Serving, {
      launched: () => serving.launched('bot'),
      retire: async (...args: Parameters<Serving['retire']>) => {
        const isGone = await serving.retire(...args);
        happens();
        return isGone;
      },
    });

  test('at the rollout', async () => {
    await reaper({ serving: meanwhile(() => workflows.set(rollout, 'RUNNING')) }).pass();
    expect(await serving.launched('bot')).toEqual([2]);
  });

  test('at the endpoint', async () => {
    const rolledBack = async () => ({ state: endpointOf({ champion: 2 }), etag: '' });
    await reaper({ serving: meanwhile(() => (endpoints['bot'] = rolledBack)) }).pass();
    expect(await serving.launched('bot')).toEqual([2]);
  });

  test('also once no launch joins it any more', async () => {
    const asked = Object.assign(Object.create(serving) as Serving, {
      launched: async () => [2],
      retire: (...args: Parameters<Serving['retire']>) => {
        workflows.set(rollout, 'RUNNING');
        return serving.retire(...args);
      },
    });
    await reaper({ serving: asked }).pass();
    expect(await serving.launched('bot')).toEqual([1, 2]);
    expect(told).not.toContain('took down a service that no endpoint names');
  });
});

describe('ends services that were given up', () => {
  const minuteMs = 60_000;
  let two: MemoryCompute;
  let gatewayServing: GatewayServing;
  const running = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { host, key, epoch } of two.list()) found.push(`${host} ${key} epoch ${epoch}`);
    return found.sort();
  };
  const pass = (): Promise<void> => reaper({ computes: [two], serving: gatewayServing }).pass();
  const later = (byMs: number): void => void vi.setSystemTime(Date.now() + byMs);
  const service = { epoch: 1, kind: 'service' as const, command: [program], environment: {}, files: {}, wants };
  const lost = (): Promise<unknown> => gatewayServing.ensureRunning('bot', 1, { kind: 'lost', forMs: minuteMs });

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
    two = new MemoryCompute({ name: 'hosts', hosts: { one: wants, two: wants }, programs: runs });
    gatewayServing = new GatewayServing({ environment, objects, compute: computeSystems([two]), routerUrls: [] });
    two.setAway('two', true);
    await gatewayServing.launch(launch('bot', 1));
    two.setAway('two', false);
    two.setAway('one', true);
  });
  afterEach(() => void vi.useRealTimers());

  test('because their host was away, once it is back, whatever else cannot be read', async () => {
    await objects.put(servingKey(environment, 'a-broken-one', 1), '{"schema":7}');
    await lost();
    two.setAway('one', false);
    expect(await running()).toEqual(['one serve-bot-1 epoch 1', 'two serve-bot-1 epoch 2']);
    later(11 * minuteMs);
    await pass();
    expect(await running()).toEqual(['two serve-bot-1 epoch 2']);
  });

  test('by a launch that took over from one with another key', async () => {
    const records = new ServingRecords({ objects, environment });
    const reading = await records.read('bot', 1);
    if (reading === undefined) throw new Error('no record');
    const retireBy = new Date().toISOString();
    await records.write({ ...reading.record, phase: 'retiring', retireBy }, reading);
    await gatewayServing.launch({ ...launch('bot', 1), key: 'another-rollout' });
    two.setAway('one', false);
    later(11 * minuteMs);
    await pass();
    expect(await running()).toEqual(['two another-rollout epoch 2']);
  });

  test('because nobody ever wrote down that they were submitted', async () => {
    two.setAway('one', false);
    await two.submit({ ...service, key: 'serve-bot-1' }, { host: 'two' });
    later(11 * minuteMs);
    await pass();
    expect(await running()).toEqual(['one serve-bot-1 epoch 1']);
  });

  test('but none that may still get requests, is on its way, or is not known here', async () => {
    await two.submit({ ...service, key: 'of-another-environment' });
    await two.submit({ ...service, key: 'on-its-way' });
    const records = new ServingRecords({ objects, environment });
    await records.write({ ...recordOf(2, null), environment, key: 'on-its-way', phase: 'launching' }, null);
    later(11 * minuteMs);
    await lost();
    two.setAway('one', false);
    await pass();
    expect(await running()).toEqual([
      'one serve-bot-1 epoch 1',
      'two of-another-environment epoch 1',
      'two on-its-way epoch 1',
      'two serve-bot-1 epoch 2',
    ]);
  });
});
