// GatewayServing over stores and hosts within this process, where two of its acts can be made to meet at any point.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SystemError } from '../../dag/failures.js';
import { computeSystems } from '../../systems/compute/computes.js';
import { MemoryCompute } from '../../systems/compute/memory.js';
import type { Compute, JobRef, JobState, JobSubmission } from '../../systems/compute/port.js';
import { servingKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { drain } from '../../systems/serving/drain.js';
import { GatewayServing } from '../../systems/serving/gateway.js';
import { ServingKeeper } from '../../systems/serving/keeper.js';
import type { LaunchRequest } from '../../systems/serving/port.js';
import { ServingRecords } from '../../systems/serving/records.js';
import { endpointOf } from '../fixtures/endpoint-states.js';
import { oneUpstream, recordOf } from '../fixtures/one-upstream.js';

/** Hosts whose services answer at one real address, and which a test can interrupt just before a submission. */
class Hosts {
  readonly name = 'serving';
  readonly inner = new MemoryCompute({
    name: 'serving',
    programs: { '{python}': ({ signal }) => untilAborted(signal) },
  });
  readonly submissions: JobSubmission[] = [];
  beforeSubmit: (() => Promise<void>) | undefined;
  url = '';
  lost = false;

  readonly compute: Compute = {
    name: this.name,
    capacity: () => this.inner.capacity(),
    pick: (wants, options) => this.inner.pick(wants, options),
    submit: async (job, options) => {
      this.submissions.push(job);
      const interrupt = this.beforeSubmit;
      this.beforeSubmit = undefined;
      await interrupt?.();
      return this.inner.submit(job, options);
    },
    state: async (job) => this.#seen(await this.inner.state(job), job),
    log: (job, offset, maxBytes) => this.inner.log(job, offset, maxBytes),
    readFile: (job, path) => this.inner.readFile(job, path),
    end: (job, options) => this.inner.end(job, options),
    remove: (job) => this.inner.remove(job),
    list: () => this.inner.list(),
  };

  async running(): Promise<number[]> {
    const epochs: number[] = [];
    for await (const { epoch, state } of this.inner.list()) if (state.phase === 'running') epochs.push(epoch);
    return epochs;
  }

  #seen(state: JobState | undefined, job: JobRef): JobState | undefined {
    if (this.lost) return { phase: 'lost', host: job.host, reason: 'The host does not answer.' };
    return state?.phase === 'running' ? { ...state, url: this.url } : state;
  }
}

const untilAborted = (signal: AbortSignal): Promise<number> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(143)));

let hosts: Hosts;
let objects: MemoryObjectStore;
let server: Server;
let healthy: boolean;
let nowMs: number;

const worker = (routerUrls: readonly string[] = []): GatewayServing =>
  new GatewayServing({
    environment: 'dev',
    objects,
    compute: computeSystems([hosts.compute]),
    routerUrls,
    now: () => new Date(nowMs),
  });

const launch: LaunchRequest = {
  model: 'bot',
  version: 1,
  artifact: { uri: 's3://bucket/artifact/', digest: '0'.repeat(64), sizeBytes: 1 },
  command: ['serve', '{model}', '{port}'],
  compute: 'serving',
  wants: { gpus: 0, memoryBytes: 0 },
  environment: {},
  healthPath: '/health',
  key: 'serve-1',
};

const record = async () => (await new ServingRecords({ objects, environment: 'dev' }).read('bot', 1))?.record;
const kill = async (epoch: number): Promise<void> =>
  hosts.inner.end({ compute: 'serving', host: 'memory', key: 'serve-1', epoch }, { graceMs: 0 });
const drainMs = 0;

beforeEach(async () => {
  hosts = new Hosts();
  objects = new MemoryObjectStore();
  healthy = true;
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  server = createServer((_, res) => {
    res.writeHead(healthy ? 200 : 503);
    res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hosts.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe('a launch', () => {
  test('writes down what it is about to do before it does it, and the address only once it is healthy', async () => {
    hosts.beforeSubmit = async () => expect(await record()).toMatchObject({ phase: 'launching', epoch: 1, job: null });
    healthy = false;
    await worker().launch(launch);
    expect(await record()).toMatchObject({ phase: 'launching', url: null, job: { epoch: 1 } });
    expect(await worker().state('bot', 1)).toEqual({ phase: 'starting' });
    expect(await record()).toMatchObject({ url: null });
    healthy = true;
    expect(await worker().state('bot', 1)).toEqual({ phase: 'ready', url: hosts.url });
    expect(await record()).toMatchObject({ phase: 'running', url: hosts.url });
  });

  test('whose worker died after the record or after the submission is finished by the next one', async () => {
    hosts.beforeSubmit = () => Promise.reject(new Error('killed'));
    await expect(worker().launch(launch)).rejects.toThrow('killed');
    await worker().launch(launch);
    expect(await record()).toMatchObject({ epoch: 1, job: { epoch: 1 } });
    expect(await hosts.running()).toEqual([1]);
  });

  test('hands the artifact and the command to the program that fetches it', async () => {
    await worker().launch(launch);
    const { command, files } = hosts.submissions[0] ?? { command: [], files: {} };
    expect(command).toEqual([
      '{python}',
      '{dir}/serve_model.py',
      's3://bucket/artifact/',
      '0'.repeat(64),
      '--',
      'serve',
      '{model}',
      '{port}',
    ]);
    expect(Object.keys(files).sort()).toEqual(['s3_failures.py', 'safe_files.py', 'serve_model.py', 'staging.py']);
  });

  test('that is still on its way when the version is retired leaves nothing running', async () => {
    hosts.beforeSubmit = async () => void (await worker().retire('bot', 1, { drainMs }));
    await worker().launch(launch);
    expect(await hosts.running()).toEqual([]);
    expect(await worker().state('bot', 1)).toEqual({ phase: 'absent' });
  });

  test('waits for a retirement under way, takes over one that was abandoned, and never goes back with the epoch', async () => {
    await worker().launch(launch);
    await worker().state('bot', 1);
    const records = new ServingRecords({ objects, environment: 'dev' });
    const reading = await records.read('bot', 1);
    if (reading === undefined) throw new Error('no record');
    const retireBy = new Date(nowMs + 60_000).toISOString();
    await records.write({ ...reading.record, phase: 'retiring', retireBy }, reading);
    await expect(worker().launch({ ...launch, key: 'serve-1b' })).rejects.toMatchObject({ type: 'Unavailable' });
    nowMs += 61_000;
    await worker().launch({ ...launch, key: 'serve-1b' });
    expect(await record()).toMatchObject({ phase: 'launching', key: 'serve-1b', epoch: 2, job: { epoch: 2 } });
  });

  test('of a version that another launch failed to start tries again; the same launch does not', async () => {
    await worker().launch(launch);
    await kill(1);
    await worker().launch(launch);
    expect((await worker().state('bot', 1)).phase).toBe('failed');
    await worker().launch({ ...launch, key: 'another-rollout' });
    expect(await record()).toMatchObject({ epoch: 2, phase: 'launching' });
    expect(await hosts.running()).toEqual([2]);
  });

  test('refuses nothing quietly: a record that cannot be read is named', async () => {
    await objects.put(servingKey('dev', 'bot', 1), '{"schema":7}');
    await expect(worker().launch(launch)).rejects.toMatchObject({
      type: 'Corrupt',
      message: expect.stringContaining('bot'),
    });
  });
});

describe('the keeper', () => {
  const log = { info: () => undefined, warn: () => undefined };
  const keeper = (champion: number, previous: number | null = null): ServingKeeper =>
    new ServingKeeper({
      endpoints: {
        async *models() {
          yield 'bot';
        },
        read: async () => ({ state: endpointOf({ champion, previous }), etag: '' }),
      },
      serving: worker(),
      log,
    });
  const up = async (): Promise<void> => {
    await worker().launch(launch);
    await worker().state('bot', 1);
  };
  const down = async (epoch: number): Promise<void> => {
    healthy = false;
    await kill(epoch);
  };

  test('launches a champion that died anew, with the next epoch, whichever worker is first', async () => {
    await up();
    await down(1);
    await Promise.all([keeper(1).pass(), keeper(1).pass(), keeper(1).pass()]);
    expect(await hosts.running()).toEqual([2]);
    healthy = true;
    await keeper(1).pass();
    expect(await record()).toMatchObject({ phase: 'running', epoch: 2, url: hosts.url });
  });

  test('keeps a previous version that still runs, and does not bring back one that was retired', async () => {
    await up();
    await down(1);
    await keeper(2, 1).pass();
    expect(await hosts.running()).toEqual([2]);
    await worker().retire('bot', 1, { drainMs });
    await keeper(2, 1).pass();
    expect(await hosts.running()).toEqual([]);
  });

  describe('whose champion hangs while its process lives', () => {
    let laterMs: number;
    let told: string[];
    beforeEach(() => {
      laterMs = 0;
      told = [];
    });
    const patient = (routerUrls: readonly string[] = []): ServingKeeper =>
      new ServingKeeper({
        endpoints: {
          async *models() {
            yield 'bot';
          },
          read: async () => ({ state: endpointOf({ champion: 1 }), etag: '' }),
        },
        serving: worker(routerUrls),
        log: { info: (_, message) => void told.push(message), warn: (_, message) => void told.push(message) },
        nowMs: () => laterMs,
      });
    /** Five minutes on end, and a little more. */
    const hangOn = async (hanging: ServingKeeper): Promise<void> => {
      healthy = false;
      await hanging.pass();
      laterMs += 299_000;
      await hanging.pass();
      expect(await hosts.running()).toEqual([1]);
      laterMs += 2_000;
      await hanging.pass();
    };

    test('says so at once and once, and that it is well again', async () => {
      await up();
      const hanging = patient();
      healthy = false;
      await hanging.pass();
      await hanging.pass();
      expect(told).toEqual([expect.stringMatching(/^hangs: It runs on memory and fails its health check/)]);
      healthy = true;
      await hanging.pass();
      expect(told.at(-1)).toBe('it is up again');
      expect(await record()).toMatchObject({ phase: 'running', epoch: 1 });
    });

    test('launches it anew once it has hung for minutes on end', async () => {
      await up();
      const hanging = patient();
      healthy = false;
      await hanging.pass();
      laterMs += 200_000;
      healthy = true;
      await hanging.pass();
      laterMs += 200_000;
      await hangOn(hanging);
      expect(await hosts.running()).toEqual([2]);
      expect(await record()).toMatchObject({ phase: 'launching', epoch: 2, relaunches: 1, url: null });
      healthy = true;
      await hanging.pass();
      expect(await record()).toMatchObject({ phase: 'running', epoch: 2, url: hosts.url });
    });

    test('leaves it alone while gateways get answers from it', async () => {
      await up();
      const routing = await oneUpstream((_, response) => response.end());
      try {
        await fetch(`${routing.gateway.url}/models/bot/`);
        await hangOn(patient([routing.gateway.adminUrl]));
      } finally {
        await routing.close();
      }
      expect(told.at(-1)).toMatch(/left alone because gateways get answers/);
      expect(await hosts.running()).toEqual([1]);
    });

    test('leaves it alone while no gateway can tell', async () => {
      await up();
      await hangOn(patient(['http://127.0.0.1:9']));
      expect(await hosts.running()).toEqual([1]);
      expect(await record()).toMatchObject({ phase: 'running', epoch: 1 });
    });

    test('waits for one that has not been healthy yet', async () => {
      healthy = false;
      await worker().launch(launch);
      await hangOn(patient());
      expect(await hosts.running()).toEqual([1]);
      expect(told).toEqual([]);
    });
  });

  test('does not take a host that is away for a version that died', async () => {
    await up();
    healthy = false;
    hosts.lost = true;
    expect(await worker().ensureRunning('bot', 1, { kind: 'lost', forMs: 59_000 })).toMatchObject({
      did: 'waits',
      lost: true,
    });
    expect(await record()).toMatchObject({ epoch: 1 });
  });

  test('tries less and less often where a version dies again and again', async () => {
    await up();
    healthy = false;
    const waits: number[] = [];
    for (let epoch = 1; epoch <= 4; epoch += 1) {
      await kill(epoch);
      let upkeep = await worker().ensureRunning('bot', 1);
      let waitedMs = 0;
      while (upkeep.did === 'waits') {
        waitedMs += upkeep.waitMs;
        nowMs += upkeep.waitMs;
        upkeep = await worker().ensureRunning('bot', 1);
      }
      expect(upkeep).toMatchObject({ did: 'relaunched', epoch: epoch + 1 });
      waits.push(waitedMs);
    }
    expect(waits).toEqual([0, 2_000, 4_000, 8_000]);
  });

  test('brings back a champion that was retired, and finishes nothing that was abandoned while it is the champion', async () => {
    await up();
    await worker().retire('bot', 1, { drainMs });
    await keeper(1).pass();
    expect(await hosts.running()).toEqual([2]);
    await keeper(1).pass();
    expect(await record()).toMatchObject({ phase: 'running', epoch: 2, url: hosts.url });
    const records = new ServingRecords({ objects, environment: 'dev' });
    const reading = await records.read('bot', 1);
    if (reading === undefined) throw new Error('no record');
    await records.write({ ...reading.record, phase: 'retiring', retireBy: new Date(nowMs).toISOString() }, reading);
    await keeper(1).pass();
    expect(await record()).toMatchObject({ phase: 'running', epoch: 2, retireBy: null });
    expect(await hosts.running()).toEqual([2]);
  });

  test('does not bring back a champion that was retired because another one has just taken its place', async () => {
    await up();
    await worker().retire('bot', 1, { drainMs });
    const states = [endpointOf({ champion: 1 }), endpointOf({ champion: 2, generation: 2 })];
    const endpoints = {
      async *models() {
        yield 'bot';
      },
      read: async () => ({ state: states.shift() ?? endpointOf({ champion: 2 }), etag: '' }),
    };
    await new ServingKeeper({ endpoints, serving: worker(), log }).pass();
    expect(await hosts.running()).toEqual([]);
  });

  test('reads as many records at a pass however many versions were ever launched', async () => {
    await up();
    await worker().launch({ ...launch, version: 2, key: 'serve-2' });
    await worker().state('bot', 2);
    const reads = async (): Promise<number> => {
      const get = vi.spyOn(objects, 'get');
      await keeper(2, 1).pass();
      const { length } = get.mock.calls;
      get.mockRestore();
      return length;
    };
    const before = await reads();
    for (let version = 3; version <= 9; version += 1) {
      await worker().launch({ ...launch, version, key: `serve-${version}` });
      await worker().retire('bot', version, { drainMs });
    }
    expect(await reads()).toBe(before);
  });

  test('says what to do about a champion that was never launched here', async () => {
    await expect(worker().ensureRunning('bot', 7)).rejects.toMatchObject({ type: 'NotFound' });
  });
});

describe('a retirement', () => {
  test('is taken back where the version proves to be wanted once no launch joins it any more', async () => {
    await worker().launch(launch);
    await worker().state('bot', 1);
    const isWanted = async (): Promise<boolean> => {
      await expect(worker().launch(launch)).rejects.toMatchObject({ type: 'Unavailable' });
      return true;
    };
    expect(await worker().retire('bot', 1, { drainMs, isWanted })).toBe(false);
    expect(await record()).toMatchObject({ phase: 'running', epoch: 1, url: hosts.url, retireBy: null });
    expect(await hosts.running()).toEqual([1]);
    expect(await worker().retire('bot', 1, { drainMs, isWanted: async () => false })).toBe(true);
    expect(await hosts.running()).toEqual([]);
  });

  test('ends nothing that a gateway still sends requests to', async () => {
    await worker().launch(launch);
    await worker().state('bot', 1);
    const read = async () => ({ record: recordOf(1, hosts.url), etag: '' });
    const routing = await oneUpstream((_, response) => response.end(), { records: { read } });
    try {
      const serving = worker([routing.gateway.adminUrl]);
      await expect(serving.retire('bot', 1, { drainMs })).rejects.toMatchObject({ type: 'Unavailable' });
    } finally {
      await routing.close();
    }
    expect(await record()).toMatchObject({ phase: 'running', epoch: 1, url: hosts.url });
    expect(await hosts.running()).toEqual([1]);
  });
});

describe('a drain', () => {
  const request = { model: 'bot', version: 1, drainMs: 60_000, pollMs: 1 };

  test('waits for every router to know and to be done', async () => {
    const seen: string[] = [];
    const answers = [
      { inFlight: 2, routed: true },
      { inFlight: 2, routed: false },
      { inFlight: 1, routed: false },
      { inFlight: 0, routed: false },
    ];
    const router = {
      sync: async () => void seen.push('sync'),
      traffic: async () => {
        seen.push('look');
        return answers.shift() ?? { inFlight: 0, routed: false };
      },
    };
    expect(await drain([router], request)).toBe('drained');
    expect(seen).toEqual(['look', 'sync', 'look', 'look', 'look']);
  });

  test('says where a router still sends requests when the time is up, also one that cannot read the endpoint', async () => {
    const router = {
      sync: () => Promise.reject(new SystemError('Unavailable', 'no store')),
      traffic: async () => ({ inFlight: 0, routed: true }),
    };
    expect(await drain([router], { ...request, drainMs: 0 })).toBe('still routed');
  });

  test('does not take a router that is away for one that is done', async () => {
    const router = {
      sync: async () => undefined,
      traffic: () => Promise.reject(new SystemError('Unavailable', 'away')),
    };
    expect(await drain([router], { ...request, drainMs: 20 })).toBe('time is up');
  });
});
