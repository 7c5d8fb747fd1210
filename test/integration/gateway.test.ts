// Gateways as processes, model servers as services of a host, S3 as a server: what users see while all of that moves.

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { endpointKey } from '../../systems/object-store/keys.js';
import { GatewayMetrics } from '../../systems/metrics/gateway.js';
import { ServingKeeper } from '../../systems/serving/keeper.js';
import { startRounds } from '../../workers/rounds.js';
import { startS3Proxy, type S3Proxy } from '../faults/s3-proxy.js';
import { GatewayWorld, type GatewayProcess } from '../fixtures/gateway-world.js';

let world: GatewayWorld;
let gateway: GatewayProcess;
let first: string;
let second: string;
const pools: Pool[] = [];

interface Answer {
  readonly status: number;
  readonly version: string | undefined;
  readonly generation: string | undefined;
  readonly body: {
    readonly told?: { name: string; model?: string };
    readonly error?: { code: string; message: string };
  };
}

const completion = (prompt: string, more: object = {}) => ({
  path: `/models/${world.model}/v1/completions`,
  method: 'POST' as const,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ model: world.model, prompt, ...more }),
});

/** A user with connections of their own. */
const user = (url = gateway.url): Pool => {
  const pool = new Pool(url, { connections: 8 });
  pools.push(pool);
  return pool;
};

async function ask(pool: Pool, question: Parameters<Pool['request']>[0] = completion('hello')): Promise<Answer> {
  const { statusCode, headers, body } = await pool.request(question);
  return {
    status: statusCode,
    version: headers['x-pawl-version'] as string | undefined,
    generation: headers['x-pawl-generation'] as string | undefined,
    body: (await body.json()) as Answer['body'],
  };
}

async function askTimes(times: number, pool: Pool): Promise<Answer[]> {
  const answers: Answer[] = [];
  const workers = Array.from({ length: 8 }, async () => {
    while (answers.length < times) answers.push(await ask(pool));
  });
  await Promise.all(workers);
  return answers;
}

const tell = async (server: string, verb: 'hold' | 'release'): Promise<void> => {
  await (await request(`${server}/${verb}`, { method: 'POST' })).body.dump();
};

const share = (answers: readonly Answer[], version: string): number =>
  answers.filter((answer) => answer.version === version).length / answers.length;

/** Version 2 on trial at a weight, its lease held. */
async function onTrial(weightPercent: number, leaseMs = 90_000): Promise<void> {
  await world.nameChallenger(2, leaseMs);
  const state = await world.shiftWeight(weightPercent);
  expect(await world.hold([gateway], state)).toEqual(['held']);
}

/** Model servers that a test may harm, for a model of its own. */
async function ownVersions(): Promise<void> {
  await world.nextModel();
  [first, second] = await Promise.all([world.launch(1), world.launch(2)]);
  await world.promoteFirst(1);
  await gateway.router.sync(world.model);
}

let shared: readonly [string, string];

beforeAll(async () => {
  world = await GatewayWorld.open(inject('s3'));
  shared = await Promise.all([world.launch(1), world.launch(2)]);
  gateway = await world.readyGateway({ PAWL_GATEWAY_SEED: '1' });
});
afterAll(() => world.close());

beforeEach(async () => {
  [first, second] = shared;
  await world.nextModel([1, 2]);
  await world.promoteFirst(1);
  await gateway.router.sync(world.model);
});

afterEach(async () => {
  await Promise.all(shared.map((server) => tell(server, 'release')));
  await Promise.all(pools.splice(0).map((pool) => pool.destroy()));
  await world.endGateways([gateway]);
});

describe('weights', () => {
  test('are honoured, and every answer says which version and generation it is from', async () => {
    const pool = user();
    const before = await askTimes(50, pool);
    expect(share(before, '1')).toBe(1);
    await onTrial(25);
    const answers = await askTimes(1_000, pool);
    // Five standard deviations.
    expect(Math.abs(share(answers, '2') - 0.25)).toBeLessThan(0.069);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ generation }) => generation))).toEqual(new Set(['3']));
    for (const { version, body } of answers) expect(body.told?.name).toBe(`version-${version}`);
  });

  test('no request is lost while they change fifty times, the challenger is promoted and the champion retires', async () => {
    await ownVersions();
    const pool = user();
    const answers: Answer[] = [];
    let isMoving = true;
    const asking = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (isMoving || answers.length < 2_000) answers.push(await ask(pool));
      }),
    );
    await world.nameChallenger(2);
    for (let change = 0; change < 50; change += 1) {
      const state = await world.shiftWeight((change * 37) % 101);
      expect(await world.hold([gateway], state)).toEqual(['held']);
    }
    const promoted = await world.promote();
    expect(await gateway.router.sync(world.model)).toEqual({ generation: promoted.generation });
    await world.serving([gateway]).retire(world.model, 1, { drainMs: 30_000 });
    expect(await world.serving().state(world.model, 1)).toEqual({ phase: 'absent' });
    isMoving = false;
    await asking;
    expect(answers.length).toBeGreaterThanOrEqual(2_000);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(share(answers, '1')).toBeGreaterThan(0);
    expect(share(answers, '2')).toBeGreaterThan(0);
    expect(new Set(answers.map(({ generation }) => generation)).size).toBeGreaterThan(10);
    expect(share(await askTimes(50, pool), '2')).toBe(1);
  });

  test('a user with a key stays with one version', async () => {
    await onTrial(50);
    const pool = user();
    const versions = new Set<string>();
    for (let index = 0; index < 20; index += 1) {
      const question = completion('hello');
      const headers = { ...question.headers, 'x-pawl-key': `user-${index}` };
      const answers = [await ask(pool, { ...question, headers }), await ask(pool, { ...question, headers })];
      expect(answers[0]?.version).toBe(answers[1]?.version);
      versions.add(answers[0]?.version ?? '');
    }
    expect(versions).toEqual(new Set(['1', '2']));
  });
});

describe('the lease', () => {
  test('that nobody renews ends the trial for good: all goes to the champion, and nobody gets it back', async () => {
    await onTrial(100, 1_500);
    const pool = user();
    expect(share(await askTimes(20, pool), '2')).toBe(1);
    await vi.waitFor(async () => expect((await ask(pool)).version).toBe('1'), { timeout: 10_000, interval: 100 });
    const raised = await world.shiftWeight(50);
    expect(await world.hold([gateway], raised)).toEqual(['expired']);
    expect(share(await askTimes(50, pool), '1')).toBe(1);
  });

  test('renewed in time goes on, without S3 too', async () => {
    await onTrial(100, 1_500);
    const pool = user();
    const { generation } = { generation: 3 };
    for (let renewal = 0; renewal < 8; renewal += 1) {
      const answer = await gateway.router.renewLease(world.model, { generation, trial: world.trial, leaseMs: 1_500 });
      expect(answer.lease).toBe('held');
      expect((await ask(pool)).version).toBe('2');
      await sleep(300);
    }
  });

  test('is lost with the process: a gateway that is started anew within a trial serves the champion only', async () => {
    await onTrial(100);
    await gateway.kill();
    gateway = await world.readyGateway();
    expect(share(await askTimes(50, user()), '1')).toBe(1);
    const lease = { generation: 3, trial: world.trial, leaseMs: 90_000 };
    expect(await gateway.router.renewLease(world.model, lease)).toEqual({ lease: 'expired' });
    expect(await world.hold([gateway], await world.shiftWeight(50))).toEqual(['expired']);
  });

  test('for a generation that the gateway does not follow is refused, with the one that it follows', async () => {
    await onTrial(10);
    const lease = { generation: 2, trial: world.trial, leaseMs: 90_000 };
    expect(await gateway.router.renewLease(world.model, lease)).toEqual({ lease: 'other-generation', generation: 3 });
  });
});

describe('a version that breaks down', () => {
  test('a challenger that died costs no user a request, and counts as failing', async () => {
    await ownVersions();
    await onTrial(50);
    await world.compute.end({ compute: 'local', host: await hostOf(2), key: `serve-${world.model}-2`, epoch: 1 });
    const answers = await askTimes(200, user());
    expect(answers.filter(({ status, version }) => status !== 200 || version !== '1')).toEqual([]);
    const metrics = new GatewayMetrics({ routerUrls: [gateway.adminUrl] });
    const challenger = await metrics.measure({ model: world.model, version: 2, windowMs: 60_000 });
    expect(challenger?.errors).toBeGreaterThan(50);
    expect(challenger?.errors).toBe(challenger?.requests);
    expect(await metrics.measure({ model: world.model, version: 1, windowMs: 60_000 })).toMatchObject({
      requests: answers.length,
      errors: 0,
    });
    const { length } = answers;
    await vi.waitFor(async () =>
      expect(await gateway.router.requests(world.model)).toEqual({
        ...{ received: length, answered: length, failed: 0 },
        ...{ left: 0, cut: 0, underWay: 0 },
      }),
    );
  });

  test('a champion that died is launched anew, and until then users are told to try again', async () => {
    await ownVersions();
    const pool = user();
    await world.compute.end({ compute: 'local', host: await hostOf(1), key: `serve-${world.model}-1`, epoch: 1 });
    const { status, body } = await ask(pool);
    expect({ status, code: body.error?.code }).toEqual({ status: 503, code: 'version_unavailable' });
    await vi.waitFor(async () =>
      expect(await gateway.router.requests(world.model)).toMatchObject({ received: 1, answered: 1, failed: 1 }),
    );
    const log = { info: () => undefined, warn: () => undefined };
    const keepers = [1, 2].map(() => new ServingKeeper({ endpoints: world.endpoints, serving: world.serving(), log }));
    const stops = keepers.map((keeper) => startRounds({ pass: (signal) => keeper.pass(signal), pauseMs: () => 100 }));
    await vi.waitFor(async () => expect((await ask(pool)).status).toBe(200), { timeout: 30_000, interval: 100 });
    await Promise.all(stops.map((stop) => stop()));
    const running = [];
    for await (const job of world.compute.list()) if (job.key === `serve-${world.model}-1`) running.push(job.epoch);
    expect(running).toContain(2);
    expect(running).not.toContain(3);
  });

  test('an answer that is broken off reaches the user as broken, and counts as an error', async () => {
    await world.launch(3, { breakOffAfterChunks: 2 });
    await world.nameChallenger(3);
    expect(await world.hold([gateway], await world.shiftWeight(100))).toEqual(['held']);
    const { body } = await user().request(completion('one two three', { stream: true }));
    await expect(body.text()).rejects.toThrow();
    // The user may see the end of the connection a moment before the gateway has closed it.
    await vi.waitFor(async () => expect(await gateway.router.requests(world.model)).toMatchObject({ cut: 1 }));
    expect(await gateway.router.measure({ model: world.model, version: 3, windowMs: 60_000 })).toMatchObject({
      requests: 1,
      errors: 1,
    });
  });

  test('that does not start is reported with its exit code and the end of its log', async () => {
    const serving = world.serving();
    await serving.launch(await world.launchRequest(3, { exitAtStart: 3 }));
    await vi.waitFor(async () => expect((await serving.state(world.model, 3)).phase).toBe('failed'), 20_000);
    const state = await serving.state(world.model, 3);
    expect(state).toMatchObject({ reason: expect.stringMatching(/exit code 3.*this version does not start/s) });
  });
});

describe('streams', () => {
  test('pass unbuffered: the first chunk arrives before the second is made', async () => {
    await tell(first, 'hold');
    const { headers, body } = await user().request(completion('one two three', { stream: true }));
    expect(headers['content-type']).toBe('text/event-stream');
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    expect(String((await chunks.next()).value)).toBe('data: one\n\n');
    await tell(first, 'release');
    let rest = '';
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) rest += String(next.value);
    expect(rest).toBe('data: two\n\ndata: three\n\ndata: [DONE]\n\n');
  });

  test('a user who leaves ends the work upstream, and counts neither as a request nor as an error', async () => {
    await tell(first, 'hold');
    const leaving = new AbortController();
    const asked = user().request({ ...completion('hello'), signal: leaving.signal });
    await vi.waitFor(async () => expect(await gateway.router.inFlight(world.model, 1)).toBe(1));
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await vi.waitFor(async () => expect(await gateway.router.inFlight(world.model, 1)).toBe(0));
    await vi.waitFor(async () =>
      expect(await gateway.router.requests(world.model)).toMatchObject({ left: 1, underWay: 0 }),
    );
    await tell(first, 'release');
    const measured = await gateway.router.measure({ model: world.model, version: 1, windowMs: 60_000 });
    expect(measured).toMatchObject({ requests: 0, errors: 0, abandoned: 1 });
  });
});

describe('an orderly end', () => {
  test('a gateway that is told to stop answers what is under way, and then ends', async () => {
    await tell(first, 'hold');
    const asked = ask(user());
    await vi.waitFor(async () => expect(await gateway.router.inFlight(world.model, 1)).toBe(1));
    const stopped = gateway.stop();
    await vi.waitFor(() => expect(request(`${gateway.url}/health`)).rejects.toMatchObject({ code: 'ECONNREFUSED' }));
    await tell(first, 'release');
    expect((await asked).status).toBe(200);
    expect(await stopped).toBe(0);
    gateway = await world.readyGateway({ PAWL_GATEWAY_SEED: '1' });
  });

  test('a version retires only once what is under way to it has been answered', async () => {
    await ownVersions();
    await onTrial(100);
    await tell(second, 'hold');
    const asked = ask(user());
    await vi.waitFor(async () => expect(await gateway.router.inFlight(world.model, 2)).toBe(1));
    const promotedFirst = await world.move((state, act) =>
      state === null
        ? { allowed: false, refusal: 'gone' }
        : {
            allowed: true,
            next: {
              ...state,
              generation: state.generation + 1,
              operationId: act.operationId,
              challenger: null,
              trial: null,
              weights: { champion: 100, challenger: 0 },
              change: { kind: 'abort', by: act.by, reason: act.reason, at: act.at },
            },
          },
    );
    expect(promotedFirst.challenger).toBeNull();
    // Nobody tells the gateway: whoever retires a version makes sure that it knows.
    let isRetired = false;
    const retired = world
      .serving([gateway])
      .retire(world.model, 2, { drainMs: 60_000 })
      .then(() => (isRetired = true));
    await vi.waitFor(async () =>
      expect(await gateway.router.traffic(world.model, 2)).toEqual({ inFlight: 1, routed: false }),
    );
    await sleep(200);
    expect(isRetired).toBe(false);
    await tell(second, 'release');
    expect(await asked).toMatchObject({ status: 200, version: '2' });
    await retired;
    expect(await world.serving().launched(world.model)).toEqual([1]);
    expect((await ask(user())).version).toBe('1');
  });
});

describe('without S3', () => {
  let proxy: S3Proxy;
  beforeAll(async () => void (proxy = await startS3Proxy(inject('s3'))));
  afterAll(() => proxy.stop());

  test('a gateway keeps serving and keeps its lease, and says that it cannot come to a new generation', async () => {
    const own = await world.readyGateway({ AWS_ENDPOINT_URL: proxy.endpoint });
    await world.nameChallenger(2);
    await own.router.sync(world.model);
    expect(await world.hold([own], await world.shiftWeight(50))).toEqual(['held']);
    const pool = user(own.url);
    await proxy.down();
    await world.shiftWeight(75);
    await expect(own.router.sync(world.model)).rejects.toMatchObject({ type: 'Unavailable' });
    const lease = { generation: 3, trial: world.trial, leaseMs: 90_000 };
    expect(await own.router.renewLease(world.model, lease)).toMatchObject({ lease: 'held' });
    const answers = await askTimes(200, pool);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(share(answers, '2')).toBeGreaterThan(0.2);
    await proxy.up();
    // It comes to the new generation by itself.
    await vi.waitFor(async () => expect((await ask(pool)).generation).toBe('4'), { timeout: 30_000, interval: 100 });
  });

  test('a gateway that starts without it says so to users, and serves once it is back', async () => {
    await proxy.down();
    const late = await world.gateway({ AWS_ENDPOINT_URL: proxy.endpoint });
    const pool = user(late.url);
    expect(await ask(pool)).toMatchObject({ status: 503, body: { error: { code: 'gateway_starting' } } });
    await proxy.up();
    await vi.waitFor(async () => expect((await ask(pool)).status).toBe(200), { timeout: 30_000, interval: 100 });
  });

  test.each([
    ['corrupt', () => world.objects.put(endpointKey('test', world.model), '{"schema":1,').then(() => undefined)],
    ['deleted', () => world.objects.delete(endpointKey('test', world.model))],
  ])('an endpoint object that was %s leaves the last good one, and shows', async (_, harm) => {
    await onTrial(10);
    await harm();
    expect(await gateway.router.sync(world.model)).toEqual({ generation: 3 });
    const answers = await askTimes(50, user());
    expect(new Set(answers.map(({ status, generation }) => `${status} ${generation}`))).toEqual(new Set(['200 3']));
    const state = (await (await request(`${gateway.adminUrl}/state`)).body.json()) as {
      models: { model: string; problem: string }[];
    };
    expect(state.models.find(({ model }) => model === world.model)?.problem).toContain('pawl reconcile');
  });
});

describe('what users read when something is wrong', () => {
  test('a model that is not there is answered with those that are', async () => {
    const answer = await ask(user(), { ...completion('x'), path: '/models/other/v1/completions' });
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'model_not_found' } } });
    expect(answer.body.error?.message).toContain('bot-1');
  });

  test('the model can be named in the body or by a header, and what the server must not see is taken out', async () => {
    const pool = user();
    expect((await ask(pool, { ...completion('x'), path: '/v1/completions' })).status).toBe(200);
    const named = { ...completion('x'), path: '/v1/completions', body: '{"prompt":"x"}' };
    expect(await ask(pool, named)).toMatchObject({ status: 400, body: { error: { code: 'model_missing' } } });
    const headers = { ...named.headers, 'x-pawl-model': world.model };
    const answer = await ask(pool, { ...named, headers });
    expect(answer.status).toBe(200);
    expect((await ask(pool)).body.told?.model ?? null).toBeNull();
    const list = (await (await request(`${gateway.url}/v1/models`)).body.json()) as { data: { id: string }[] };
    expect(list.data.map(({ id }) => id)).toContain(world.model);
  });

  test('a body beyond the limit is refused, whether its length is known before or not', async () => {
    const small = await world.readyGateway({ PAWL_GATEWAY_MAX_BODY_BYTES: '1000' });
    const long = 'x'.repeat(2_000);
    const known = await ask(user(small.url), completion(long));
    expect(known).toMatchObject({ status: 413, body: { error: { code: 'body_too_large' } } });
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from(completion('').body.slice(0, -2));
      yield Buffer.from(`${long}"}`);
    }
    const unknown = await ask(user(small.url), { ...completion(''), body: pieces() as never });
    expect(unknown.status).toBe(413);
    expect((await ask(user(small.url))).status).toBe(200);
  });

  test('a server that does not answer in time is a timeout, and an error of its version', async () => {
    const quick = await world.readyGateway({ PAWL_GATEWAY_ANSWER_TIMEOUT_MS: '500' });
    await tell(first, 'hold');
    expect(await ask(user(quick.url))).toMatchObject({ status: 504, body: { error: { code: 'upstream_timeout' } } });
    expect(await quick.router.measure({ model: world.model, version: 1, windowMs: 60_000 })).toMatchObject({
      requests: 1,
      errors: 1,
    });
    await tell(first, 'release');
  });
});

test('the window over two gateways is their sum, and one that is away makes it unavailable', async () => {
  const other = await world.readyGateway();
  await world.launch(3, { failEvery: 4, latencyMs: 20 });
  await world.nameChallenger(3);
  expect(await world.hold([gateway, other], await world.shiftWeight(100))).toEqual(['held', 'held']);
  await Promise.all([askTimes(24, user()), askTimes(24, user(other.url))]);
  const metrics = new GatewayMetrics({ routerUrls: [gateway.adminUrl, other.adminUrl] });
  const measured = await metrics.measure({ model: world.model, version: 3, windowMs: 600_000 });
  const requests = measured?.requests ?? 0;
  expect(requests).toBeGreaterThanOrEqual(48);
  expect(measured?.errors).toBe(Math.floor(requests / 4));
  const { boundsMs, counts } = measured?.latency ?? { boundsMs: [], counts: [] };
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(requests);
  // Nothing was quicker than the server's own delay.
  expect(counts.filter((_, index) => (boundsMs[index] ?? Infinity) < 19).every((count) => count === 0)).toBe(true);
  expect(measured?.coveredMs).toBeLessThan(600_000);
  await other.kill();
  await expect(metrics.measure({ model: world.model, version: 3, windowMs: 1_000 })).rejects.toMatchObject({
    type: 'Unavailable',
  });
});

async function hostOf(version: number): Promise<string> {
  for await (const { key, host } of world.compute.list()) if (key === `serve-${world.model}-${version}`) return host;
  throw new Error(`version ${version} runs nowhere`);
}
