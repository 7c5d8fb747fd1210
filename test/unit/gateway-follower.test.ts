import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SystemError } from '../../dag/failures.js';
import { EndpointFollower, type FollowerOptions } from '../../gateway/endpoint-follower.js';
import { Measurements } from '../../gateway/measurement.js';
import type { EndpointReading } from '../../systems/endpoint/port.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import type { RecordReading } from '../../systems/serving/records.js';
import { endpointOf, trialOf } from '../fixtures/endpoint-states.js';
import { recordOf } from '../fixtures/one-upstream.js';

let state: EndpointState | undefined;
let readRecord: (version: number) => Promise<RecordReading | undefined>;
let read: () => Promise<EndpointReading | undefined>;
let listed: string[];
let follower: EndpointFollower;
/** Added to the clock of every follower. */
let laterMs: number;

const followerOf = (endpoints: FollowerOptions['endpoints'], over: Partial<FollowerOptions> = {}): EndpointFollower =>
  new EndpointFollower({
    endpoints,
    records: { read: (_, version) => readRecord(version) },
    measurements: new Measurements(() => performance.now() + laterMs),
    timeouts: { connectTimeoutMs: 1, headersTimeoutMs: 1, bodyTimeoutMs: 1 },
    pollMs: 3_600_000,
    readTimeoutMs: 200,
    log: { info: () => undefined, warn: () => undefined },
    ...over,
  });
const away = (): Promise<never> => Promise.reject(new SystemError('Unavailable', 'The object store is away.'));
const lease = (generation: number) => ({ generation, trial: 'trial-1', leaseMs: 90_000 });

beforeEach(() => {
  state = endpointOf();
  listed = ['bot'];
  laterMs = 0;
  read = async () => (state === undefined ? undefined : { state, etag: '' });
  readRecord = async (version) => ({ record: recordOf(version, `http://127.0.0.1:${9_000 + version}`), etag: '' });
  follower = followerOf({
    async *models() {
      yield* listed;
    },
    read: () => read(),
  });
});
afterEach(() => follower.stop());

describe('a follower', () => {
  test('never goes back, also when a slow read of an old state ends after a quick one of a new state', async () => {
    await follower.start();
    let answerSlowly = (): void => undefined;
    read = () =>
      new Promise(
        (resolve) => (answerSlowly = () => resolve({ state: endpointOf({ generation: 2, champion: 2 }), etag: '' })),
      );
    const slow = follower.sync('bot');
    state = endpointOf({ generation: 3, champion: 3 });
    read = async () => (state === undefined ? undefined : { state, etag: '' });
    expect(await follower.sync('bot')).toBe(3);
    answerSlowly();
    expect(await slow).toBe(3);
    expect(follower.route('bot')?.choose(0, 0)?.version).toBe(3);
  });

  test('never goes back, also when the addresses of an old state come after a new state', async () => {
    await follower.start();
    let answerSlowly: (() => void) | undefined;
    const quick = readRecord;
    readRecord = (version) => new Promise((resolve) => (answerSlowly = () => resolve(quick(version))));
    state = endpointOf({ generation: 2, champion: 2 });
    const slow = follower.sync('bot');
    await expect.poll(() => answerSlowly).toBeDefined();
    readRecord = quick;
    state = endpointOf({ generation: 3, champion: 3 });
    expect(await follower.sync('bot')).toBe(3);
    answerSlowly?.();
    expect(await slow).toBe(3);
    expect(follower.route('bot')?.choose(0, 0)?.version).toBe(3);
  });

  test('moves to a state only with the addresses of its versions', async () => {
    await follower.start();
    state = endpointOf({ generation: 2, champion: 2 });
    readRecord = away;
    await expect(follower.sync('bot')).rejects.toMatchObject({ type: 'Unavailable' });
    expect(follower.route('bot')?.generation).toBe(1);
    expect(follower.route('bot')?.champion?.upstream?.url).toBe('http://127.0.0.1:9001');
  });

  test('does not wait for a read that hangs', async () => {
    await follower.start();
    read = () => new Promise(() => undefined);
    await expect(follower.sync('bot')).rejects.toMatchObject({ type: 'Unavailable' });
  });

  test('keeps the last address where the record is lost or cannot be read, and forgets it where the version retired', async () => {
    await follower.start();
    readRecord = () => Promise.reject(new SystemError('Corrupt', 'It cannot be understood.'));
    expect(await follower.sync('bot')).toBe(1);
    readRecord = async () => undefined;
    expect(await follower.sync('bot')).toBe(1);
    expect(follower.route('bot')?.champion?.upstream?.url).toBe('http://127.0.0.1:9001');
    readRecord = async (version) => ({
      record: recordOf(version, 'http://127.0.0.1:9001', { phase: 'retired' }),
      etag: '',
    });
    expect(await follower.sync('bot')).toBe(1);
    expect(follower.route('bot')?.champion?.upstream).toBeUndefined();
  });

  test('that found a trial under way has no lease for it; one that saw the endpoint come to be has', async () => {
    state = trialOf(5, 10);
    await follower.start();
    expect(follower.renewLease('bot', lease(5))).toEqual({ lease: 'expired' });
    state = trialOf(1, 10, { model: 'new' });
    await follower.sync('new');
    expect(follower.renewLease('new', lease(1)).lease).toBe('held');
  });

  test('that could not read the list when it started knows of no beginning', async () => {
    read = away;
    listed = [];
    const models = follower.start();
    await models;
    expect(follower.ready).toBe(true);
    await follower.stop();
    const blind = followerOf({
      async *models() {
        await away();
      },
      read: async () => ({ state: trialOf(5, 10), etag: '' }),
    });
    await blind.start();
    expect(blind.ready).toBe(false);
    expect(await blind.sync('bot')).toBe(5);
    expect(blind.renewLease('bot', lease(5))).toEqual({ lease: 'expired' });
    await blind.stop();
  });

  test('routes what it has been told of while the rest of a long list is on its way', async () => {
    const models = Array.from({ length: 6 }, (_, n) => `bot-${n}`);
    let isAway = true;
    const of = (name: string) => ({ state: endpointOf({ model: name }), etag: '' });
    const endpoints: FollowerOptions['endpoints'] = {
      async *models() {
        for (const model of models) {
          // A page each, all of them together beyond what one read may take.
          await sleep(100);
          if (isAway && model === 'bot-3') await away();
          yield model;
        }
      },
      read: async (model) => of(model),
    };
    const patient = followerOf(endpoints, { pollMs: 20, readTimeoutMs: 400 });
    await patient.start();
    const followed = (): string[] => patient.routes.map(({ model, generation }) => `${model} ${generation}`);
    await expect.poll(followed, { timeout: 10_000 }).toEqual(['bot-0 1', 'bot-1 1', 'bot-2 1']);
    expect(patient.ready).toBe(false);
    isAway = false;
    await expect.poll(() => patient.ready, { timeout: 10_000 }).toBe(true);
    expect(patient.routes.map(({ model }) => model)).toEqual(models);
    await patient.stop();
  });

  test('does not wait for a list that hangs', async () => {
    const blind = followerOf({
      async *models() {
        yield 'bot';
        await new Promise(() => undefined);
      },
      read: () => read(),
    });
    await blind.start();
    expect(blind.ready).toBe(false);
    expect(blind.route('bot')?.generation).toBe(1);
    await blind.stop();
  });

  test('stays ready when an endpoint comes that it cannot read', async () => {
    await follower.start();
    listed = ['bot', 'new'];
    const known = read;
    read = away;
    laterMs = 60_000;
    follower.lookForNewModels();
    await expect.poll(() => follower.route('new'), { timeout: 10_000 }).toBeDefined();
    expect(follower.ready).toBe(true);
    expect(follower.route('new')?.wasRead).toBe(false);
    read = known;
    await follower.sync('new');
    expect(follower.route('new')?.generation).toBe(1);
  });

  test('is not ready before it has read every endpoint that there was', async () => {
    read = away;
    await follower.start();
    expect(follower.ready).toBe(false);
  });

  test('answers generation 0 where there is no endpoint, and does not keep it', async () => {
    await follower.start();
    state = undefined;
    expect(await follower.sync('nobody')).toBe(0);
    expect(follower.route('nobody')).toBeUndefined();
  });
});
