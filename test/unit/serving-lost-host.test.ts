// A serving host that one worker, or nobody, can reach any more: users keep the champion as long as it lives somewhere.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startGateway, type RunningGateway } from '../../gateway/gateway.js';
import { computeSystems } from '../../systems/compute/computes.js';
import { MemoryCompute } from '../../systems/compute/memory.js';
import type { Compute, JobState } from '../../systems/compute/port.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { GatewayServing } from '../../systems/serving/gateway.js';
import { ServingRecords } from '../../systems/serving/records.js';
import { endpointOf } from '../fixtures/endpoint-states.js';

const places = { gpus: 0, memoryBytes: 0 };
const aMinute = 60_000;

/** Where a host's services answer: users always reach it, a worker only while it is not cut off. */
class ModelServer {
  url = '';
  isReachable = true;
  readonly #server: Server = createServer((request, response) => {
    const isUsers = request.url !== '/health';
    response.writeHead(isUsers || this.isReachable ? 200 : 503);
    response.end(this.name);
  });

  constructor(readonly name: string) {}

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let objects: MemoryObjectStore;
let servers: Map<string, ModelServer>;
let inner: MemoryCompute;
let gateway: RunningGateway;

const opened = async (...names: string[]): Promise<void> => {
  servers = new Map(names.map((name) => [name, new ModelServer(name)]));
  await Promise.all([...servers.values()].map((server) => server.start()));
  inner = new MemoryCompute({
    name: 'serving',
    hosts: Object.fromEntries(names.map((name) => [name, places])),
    programs: { '{python}': ({ signal }) => new Promise((resolve) => (signal.onabort = () => resolve(143))) },
  });
};

/** The hosts as a worker sees them, their services at real addresses. */
const seen = (): Compute => {
  const placed = (state: JobState | undefined): JobState | undefined =>
    state?.phase === 'running' ? { ...state, url: servers.get(state.host)?.url ?? '' } : state;
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'state') return async (job: Parameters<Compute['state']>[0]) => placed(await target.state(job));
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
};

const worker = (): GatewayServing =>
  new GatewayServing({
    environment: 'dev',
    objects,
    compute: computeSystems([seen()]),
    routerUrls: [gateway.adminUrl],
  });

/** What a worker does that cannot reach the host, though everybody else can. */
async function cutOff<T>(host: string, act: () => Promise<T>): Promise<T> {
  const server = servers.get(host);
  if (server === undefined) throw new Error(`no host ${host}`);
  inner.setAway(host, true);
  server.isReachable = false;
  try {
    return await act();
  } finally {
    inner.setAway(host, false);
    server.isReachable = true;
  }
}

const ensure = (lostForMs = 0) => worker().ensureRunning('bot', 1, { kind: 'lost', forMs: lostForMs });
const record = async () => (await new ServingRecords({ objects, environment: 'dev' }).read('bot', 1))?.record;
const running = async (): Promise<string[]> => {
  const found: string[] = [];
  for await (const { host, epoch, state } of inner.list())
    if (state.phase === 'running') found.push(`${host} epoch ${epoch}`);
  return found.sort();
};
const ask = async (): Promise<string> => {
  const response = await fetch(`${gateway.url}/v1/completions`, { method: 'POST', body: '{"model":"bot"}' });
  return response.status === 200 ? response.text() : String(response.status);
};
/** The gateway has looked at the record again. */
const looked = async (): Promise<void> => {
  const answer = await fetch(`${gateway.adminUrl}/sync`, { method: 'POST', body: '{"model":"bot"}' });
  expect(answer.status).toBe(200);
};

async function up(...hosts: string[]): Promise<void> {
  objects = new MemoryObjectStore();
  await opened(...hosts);
  const listen = { host: '127.0.0.1', port: 0 };
  const records = new ServingRecords({ objects, environment: 'dev' });
  const log = { info: () => undefined, warn: () => undefined };
  async function* models() {
    yield 'bot';
  }
  const read = async () => ({ state: endpointOf(), etag: '' });
  gateway = await startGateway({
    environment: 'dev',
    endpoints: { models, read },
    records,
    data: listen,
    admin: listen,
    log,
  });
  await worker().launch({
    model: 'bot',
    version: 1,
    artifact: { uri: 's3://bucket/artifact/', digest: '0'.repeat(64), sizeBytes: 1 },
    command: ['serve', '{model}', '{port}'],
    compute: 'serving',
    wants: places,
    environment: {},
    healthPath: '/health',
    key: 'serve-1',
  });
  expect(await worker().state('bot', 1)).toMatchObject({ phase: 'ready' });
  await looked();
}

afterEach(async () => {
  await gateway.close(0);
  for (const server of servers.values()) server.stop();
});

describe('a worker that is cut off from the only host', () => {
  beforeEach(() => up('one'));

  test('gives nothing up, and neither does the next one', async () => {
    await expect(cutOff('one', () => ensure(aMinute))).rejects.toMatchObject({ type: 'NoCapacity' });
    await looked();
    expect(await ask()).toBe('one');
    expect(await ensure()).toEqual({ did: 'nothing', healthy: true });
    expect(await running()).toEqual(['one epoch 1']);
  });
});

describe('a worker that is cut off from one of two hosts', () => {
  beforeEach(() => up('one', 'two'));

  test('leaves the version alone while a gateway gets answers from it', async () => {
    expect(await ask()).toBe('one');
    expect(await cutOff('one', () => ensure(aMinute))).toMatchObject({ did: 'leaves it' });
    expect(await record()).toMatchObject({ epoch: 1, phase: 'running' });
    expect(await running()).toEqual(['one epoch 1']);
  });

  test('launches it on the other host where nobody asks, and gateways keep the address meanwhile', async () => {
    expect(await cutOff('one', () => ensure(aMinute))).toMatchObject({ did: 'relaunched', epoch: 2 });
    expect(await record()).toMatchObject({ phase: 'launching', job: { host: 'two' }, predecessor: { host: 'one' } });
    await looked();
    expect(await ask()).toBe('one');
    expect(await running()).toEqual(['one epoch 1', 'two epoch 2']);
  });

  test('loses to one that reaches the server before its successor has answered', async () => {
    await cutOff('one', () => ensure(aMinute));
    expect(await ensure()).toEqual({ did: 'nothing', healthy: true });
    expect(await record()).toMatchObject({
      epoch: 3,
      phase: 'running',
      job: { host: 'one', epoch: 1 },
      predecessor: null,
    });
    await looked();
    expect(await ask()).toBe('one');
    expect(await running()).toEqual(['one epoch 1']);
  });
});

describe('a version whose host is away for good', () => {
  beforeEach(() => up('one', 'two'));
  const leave = (): void => {
    inner.setAway('one', true);
    servers.get('one')?.stop();
  };

  test('moves to another host, and gateways follow once it answers there', async () => {
    leave();
    expect(await ensure()).toMatchObject({ did: 'waits', lost: true });
    expect(await ensure(aMinute)).toMatchObject({ did: 'relaunched', epoch: 2 });
    await ensure();
    expect(await record()).toMatchObject({ phase: 'running', job: { host: 'two', epoch: 2 }, predecessor: null });
    await looked();
    expect(await ask()).toBe('two');
  });

  test('leaves its address once the host answers that the server is gone', async () => {
    leave();
    const two = servers.get('two');
    if (two !== undefined) two.isReachable = false;
    await ensure(aMinute);
    inner.restart('one');
    inner.setAway('one', false);
    await ensure();
    expect(await record()).toMatchObject({ phase: 'launching', url: null, predecessor: null, job: { host: 'two' } });
  });
});
