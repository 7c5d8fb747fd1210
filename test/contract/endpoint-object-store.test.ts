// The endpoint object, on every store: one winner, lost answers, crashes between writes, a lost or corrupt object.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findDisagreements, mirrorAliases } from '../../systems/endpoint/mirror-aliases.js';
import { moveEndpoint } from '../../systems/endpoint/move.js';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import { reconcileEndpoint } from '../../systems/endpoint/reconcile.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import * as transitions from '../../systems/endpoint/transitions.js';
import type { EndpointAct, Transition } from '../../systems/endpoint/transitions.js';
import { endpointHistoryKey, endpointKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { ObjectStoreRegistry } from '../../systems/registry/object-store.js';
import { Died, dyingStore } from '../faults/dying-store.js';
import { startS3Proxy } from '../faults/s3-proxy.js';
import type { S3Proxy } from '../faults/s3-proxy.js';
import { collect, versionRequest } from './registry.suite.js';
import { storesUnderTest } from './stores-under-test.js';

const environment = 'dev';
const act = (operationId: string = randomUUID()): EndpointAct => ({
  operationId,
  by: 'someone',
  reason: 'a test',
  at: new Date().toISOString(),
});
const allowed = (transition: Transition): EndpointState => {
  if (!transition.allowed) throw new Error(transition.refusal);
  return transition.next;
};
const first = (model: string, version = 1): EndpointState =>
  allowed(transitions.firstPromotion(null, act(), { environment, model, version, leaseMs: 90_000 }));
const freshModel = (): string => `bot-${randomUUID().slice(0, 8)}`;

for (const { name, open } of storesUnderTest) {
  describe(`the endpoint object on ${name}`, { timeout: 120_000 }, () => {
    let objects: ObjectStore;
    let endpoints: ObjectStoreEndpoints;
    let model: string;

    /** Reads, decides and writes, as another process would. */
    const step = async (decide: (state: EndpointState | null) => Transition): Promise<EndpointState> => {
      const client = new ObjectStoreEndpoints(objects, environment);
      const reading = await client.read(model);
      const written = await client.write(model, allowed(decide(reading?.state ?? null)), reading ?? null);
      if (!written.won) throw new Error('lost');
      return written.state;
    };
    const generations = async (): Promise<number[]> =>
      (await collect(endpoints.history(model))).map(({ generation }) => generation);

    beforeAll(async () => {
      objects = await open('contract-endpoints');
    });
    beforeEach(() => {
      endpoints = new ObjectStoreEndpoints(objects, environment);
      model = freshModel();
    });

    it('is nothing at first, then what was written, with its history', async () => {
      expect(await endpoints.read(model)).toBeUndefined();
      expect(await endpoints.write(model, first(model), null)).toMatchObject({ won: true });
      await step((state) => transitions.nameChallenger(state, act(), { version: 2, trial: 't' }));
      await step((state) => transitions.shiftWeight(state, act(), { trial: 't', weightPercent: 25 }));
      await step((state) => transitions.promote(state, act(), 't'));
      expect((await endpoints.read(model))?.state).toMatchObject({ generation: 4, champion: 2, previous: 1 });
      const history = await collect(endpoints.history(model));
      expect(history.map(({ change }) => change.kind)).toEqual(['promote', 'trial', 'weight', 'promote']);
      const later = await collect(endpoints.history(model, { fromGeneration: 3 }));
      expect(later.map(({ generation }) => generation)).toEqual([3, 4]);
      expect(await collect(endpoints.models())).toContain(model);
    });

    it('lets one of 32 first writers win, and tells the others who did', async () => {
      const writers = Array.from({ length: 32 }, async (_, n) => {
        const client = new ObjectStoreEndpoints(objects, environment);
        return await client.write(model, first(model, n + 1), null);
      });
      const results = await Promise.all(writers);
      const winners = results.filter((result) => result.won);
      expect(winners).toHaveLength(1);
      const champion = winners[0]?.state.champion;
      for (const result of results) if (!result.won) expect(result.current?.champion).toBe(champion);
      expect(await generations()).toEqual([1]);
    });

    it('lets one of 32 successors win in every round', async () => {
      await endpoints.write(model, first(model), null);
      for (let round = 0; round < 3; round += 1) {
        const reading = await endpoints.read(model);
        const writers = Array.from({ length: 32 }, async (_, n) => {
          const client = new ObjectStoreEndpoints(objects, environment);
          const next = transitions.rollBack(reading?.state ?? null, act(), { toVersion: 100 * (round + 1) + n });
          return await client.write(model, allowed(next), reading ?? null);
        });
        expect((await Promise.all(writers)).filter((result) => result.won)).toHaveLength(1);
      }
      expect(await generations()).toEqual([1, 2, 3, 4]);
    });

    it('takes the same write again for won, also after others have written', async () => {
      const state = first(model);
      expect(await endpoints.write(model, state, null)).toEqual({ won: true, state });
      expect(await endpoints.write(model, state, null)).toEqual({ won: true, state });
      const reading = await endpoints.read(model);
      const trial = allowed(transitions.nameChallenger(state, act(), { version: 2, trial: 't' }));
      expect(await endpoints.write(model, trial, reading ?? null)).toEqual({ won: true, state: trial });
      expect(await endpoints.write(model, trial, reading ?? null)).toEqual({ won: true, state: trial });
      await step((standing) => transitions.promote(standing, act(), 't'));
      const late = new ObjectStoreEndpoints(objects, environment);
      expect(await late.write(model, trial, reading ?? null)).toEqual({ won: true, state: trial });
      expect(await late.write(model, state, null)).toEqual({ won: true, state });
      const foreign = allowed(transitions.nameChallenger(state, act(), { version: 3, trial: 'u' }));
      expect(await late.write(model, foreign, reading ?? null)).toMatchObject({ won: false, current: { champion: 2 } });
    });

    it('refuses a write that skips a generation or is for another endpoint', async () => {
      await expect(endpoints.write(model, { ...first(model), generation: 2 }, null)).rejects.toThrow(
        /generation 2, not 1/,
      );
      await expect(endpoints.write(model, first('another'), null)).rejects.toThrow(/another/);
      const unsound = { ...first(model), weights: { champion: 90, challenger: 0 } };
      await expect(endpoints.write(model, unsound, null)).rejects.toThrow(/sum to 100/);
      expect(await endpoints.read(model)).toBeUndefined();
    });

    it('does not take a lost object with a history for a first rollout', async () => {
      await endpoints.write(model, first(model), null);
      await objects.delete(endpointKey(environment, model));
      const lost = { type: 'Corrupt', message: expect.stringContaining(`pawl reconcile ${model}`) as string };
      await expect(endpoints.read(model)).rejects.toMatchObject(lost);
      await expect(endpoints.write(model, first(model, 2), null)).rejects.toMatchObject(lost);
      expect(await collect(endpoints.models())).toContain(model);
    });

    it('names an object that cannot be read', async () => {
      await endpoints.write(model, first(model), null);
      const unreadable = { type: 'Corrupt', message: expect.stringContaining(`pawl reconcile ${model}`) as string };
      for (const content of ['{"half":', '{"schema":1}', '']) {
        await objects.put(endpointKey(environment, model), content);
        await expect(endpoints.read(model), content).rejects.toMatchObject(unreadable);
      }
    });

    it('finds its own move again and does it once, however often it is tried', async () => {
      await endpoints.write(model, first(model), null);
      await step((state) => transitions.nameChallenger(state, act(), { version: 2, trial: 't' }));
      await step((state) => transitions.promote(state, act(), 't'));
      const back = act('rollback-request-1');
      const move = {
        operationId: back.operationId,
        decide: (s: EndpointState | null) => transitions.rollBack(s, back),
      };
      const once = await moveEndpoint(endpoints, model, move);
      expect(once).toMatchObject({ moved: true, state: { champion: 1 } });
      await step((state) => transitions.rollBack(state, act(), { toVersion: 7, previous: 1 }));
      const again = await moveEndpoint(new ObjectStoreEndpoints(objects, environment), model, move);
      expect(again).toMatchObject({ moved: true, state: { champion: 1, generation: 4 }, current: { champion: 7 } });
      const refused = await moveEndpoint(endpoints, model, {
        operationId: 'other',
        decide: (state) => transitions.promote(state, act('other'), 't'),
      });
      expect(refused).toMatchObject({ moved: false, refusal: expect.stringContaining('no challenger') as string });
    });

    it('decides again when someone else writes in between', async () => {
      await endpoints.write(model, first(model), null);
      const results = await Promise.all(
        Array.from({ length: 6 }, async (_, n) => {
          const own = act();
          return await moveEndpoint(new ObjectStoreEndpoints(objects, environment), model, {
            operationId: own.operationId,
            decide: (state) => transitions.nameChallenger(state, own, { version: n + 2, trial: `t${n}` }),
          });
        }),
      );
      expect(results.filter((result) => result.moved)).toHaveLength(1);
      for (const result of results) if (!result.moved) expect(result.refusal).toMatch(/is on trial/);
    });

    describe('reconciled', () => {
      let registry: ObjectStoreRegistry;
      const reconcile = (more: { dryRun?: boolean; routerGeneration?: number } = {}) =>
        reconcileEndpoint({ endpoints, registry, model, act: act(), ...more });

      beforeEach(async () => {
        registry = new ObjectStoreRegistry(objects, { environment });
        for (const seed of ['a', 'b', 'c']) await registry.register(model, versionRequest(seed));
        await endpoints.write(model, first(model), null);
        await step((state) => transitions.nameChallenger(state, act(), { version: 2, trial: 't' }));
        await step((state) => transitions.promote(state, act(), 't'));
        await step((state) => transitions.nameChallenger(state, act(), { version: 3, trial: 'u' }));
        const state = (await endpoints.read(model))?.state;
        if (state !== undefined) await mirrorAliases(registry, model, state);
      });

      it('says that all is well where it is', async () => {
        const before = await endpoints.read(model);
        expect(await reconcile()).toMatchObject({ endpoint: 'sound', disagreements: [] });
        expect(await endpoints.read(model)).toEqual(before);
      });

      it.each(['deleted', 'damaged'] as const)('writes a %s object anew, without its challenger', async (harm) => {
        const key = endpointKey(environment, model);
        await (harm === 'deleted' ? objects.delete(key) : objects.put(key, '{"half":'));
        const told = await reconcile({ dryRun: true });
        expect(told).toMatchObject({ endpoint: 'would be rewritten' });
        await expect(endpoints.read(model)).rejects.toMatchObject({ type: 'Corrupt' });
        const done = await reconcile();
        expect(done).toMatchObject({ endpoint: 'rewritten', finding: expect.any(String) as string });
        expect(done.disagreements).toMatchObject([{ alias: 'challenger', inEndpoint: null, inRegistry: 3 }]);
        const state = (await endpoints.read(model))?.state;
        expect(state).toMatchObject({ champion: 2, previous: 1, challenger: null, change: { kind: 'reconcile' } });
        expect(state?.generation).toBeGreaterThan(4);
        expect(await registry.alias(model, 'challenger')).toBeUndefined();
        expect(state && (await findDisagreements(registry, model, state))).toEqual([]);
        expect(await reconcile()).toMatchObject({ endpoint: 'sound', disagreements: [] });
        expect(await endpoints.write(model, first(model), null)).toMatchObject({ won: false });
        await step((standing) => transitions.nameChallenger(standing, act(), { version: 3, trial: 'v' }));
      });

      it('stays above a generation whose record was lost with the object', async () => {
        const promoted = await step((state) => transitions.promote(state, act(), 'u'));
        await mirrorAliases(registry, model, promoted);
        await objects.delete(endpointHistoryKey(environment, model, promoted.generation));
        await objects.delete(endpointKey(environment, model));
        const { state } = await reconcile({ routerGeneration: promoted.generation });
        expect(state).toMatchObject({ champion: 3, previous: 2 });
        expect(state.generation).toBeGreaterThan(promoted.generation);
      });

      it('lifts an object that was set back to an older content above what routers have seen', async () => {
        const reading = await endpoints.read(model);
        const promoted = await step((state) => transitions.promote(state, act(), 'u'));
        await mirrorAliases(registry, model, promoted);
        await objects.put(endpointKey(environment, model), JSON.stringify(reading?.state));
        const { state, finding } = await reconcile();
        expect(finding).toMatch(/set back/);
        expect(state).toMatchObject({ champion: 3, previous: 2, challenger: null });
        expect(state.generation).toBeGreaterThan(promoted.generation);
      });

      it('knows the versions that were taken back also where the object was set back', async () => {
        const reading = await endpoints.read(model);
        await step((state) => transitions.endTrial(state, act(), { trial: 'u', kind: 'abort', revokes: true }));
        const back = await step((state) => transitions.rollBack(state, act()));
        await mirrorAliases(registry, model, back);
        await objects.put(endpointKey(environment, model), JSON.stringify(reading?.state));
        const { state } = await reconcile();
        expect(state).toMatchObject({ champion: 1, revoked: [{ version: 3 }, { version: 2 }] });
      });

      it('makes aliases agree that were moved by others, or never moved', async () => {
        const state = await step((standing) => transitions.promote(standing, act(), 'u'));
        const found = await findDisagreements(registry, model, state);
        expect(found.map(({ alias }) => alias)).toEqual(['champion', 'challenger', 'previous']);
        expect((await reconcile()).disagreements).toHaveLength(3);
        expect((await registry.alias(model, 'champion'))?.version).toBe(3);
        expect((await registry.alias(model, 'previous'))?.version).toBe(2);
      });

      it('leaves an alias alone that mirrors a newer generation', async () => {
        const old = await step((standing) =>
          transitions.shiftWeight(standing, act(), { trial: 'u', weightPercent: 5 }),
        );
        const newer = await step((standing) => transitions.promote(standing, act(), 'u'));
        expect(await mirrorAliases(registry, model, newer)).toBe(true);
        expect(await mirrorAliases(registry, model, old)).toBe(false);
        expect(await findDisagreements(registry, model, newer)).toEqual([]);
      });
    });
  });
}

describe('a process that dies while it writes an endpoint', () => {
  const deaths = [1, 2, 3].flatMap((diesAtWrite) => [true, false].map((made) => ({ diesAtWrite, made })));

  it.each(deaths)('leaves an endpoint that the next one can go on with ($diesAtWrite, made: $made)', async (death) => {
    const objects = new MemoryObjectStore();
    const sound = new ObjectStoreEndpoints(objects, environment);
    const begun = first('bot');
    await sound.write('bot', begun, null);
    const reading = (await sound.read('bot')) ?? null;
    const trial = allowed(transitions.nameChallenger(begun, act(), { version: 2, trial: 't' }));
    const dying = dyingStore(objects, death);
    // The dying process writes the record of what it replaces, the object, and the record of what it wrote.
    await expect(new ObjectStoreEndpoints(dying, environment).write('bot', trial, reading)).rejects.toThrow(Died);
    expect(dying.dead).toBe(true);
    const next = new ObjectStoreEndpoints(objects, environment);
    const won = await next.write('bot', trial, reading);
    expect(won).toEqual({ won: true, state: trial });
    const standing = (await next.read('bot')) ?? null;
    const promoted = allowed(transitions.promote(standing?.state ?? null, act(), 't'));
    await next.write('bot', promoted, standing);
    expect(await collect(next.history('bot'))).toEqual([begun, trial, promoted]);
  });

  it.each(deaths)('leaves no gap when someone else goes on instead ($diesAtWrite, made: $made)', async (death) => {
    const objects = new MemoryObjectStore();
    const sound = new ObjectStoreEndpoints(objects, environment);
    await sound.write('bot', first('bot'), null);
    const reading = (await sound.read('bot')) ?? null;
    const trial = allowed(transitions.nameChallenger(reading?.state ?? null, act(), { version: 2, trial: 't' }));
    const dead = new ObjectStoreEndpoints(dyingStore(objects, death), environment);
    await expect(dead.write('bot', trial, reading)).rejects.toThrow(Died);
    const other = new ObjectStoreEndpoints(objects, environment);
    const standing = (await other.read('bot')) ?? null;
    const moved = allowed(transitions.rollBack(standing?.state ?? null, act(), { toVersion: 9 }));
    await other.write('bot', moved, standing);
    const kinds = (await collect(other.history('bot'))).map(({ change }) => change.kind);
    const landed = standing?.state.operationId === trial.operationId;
    expect(kinds).toEqual(landed ? ['promote', 'trial', 'rollback'] : ['promote', 'rollback']);
    // The dead one's workflow tries again: it learns whether it had won.
    expect((await other.write('bot', trial, reading)).won).toBe(landed);
  });
});

describe('an endpoint writer whose answers are lost on the way', () => {
  let proxy: S3Proxy;
  let through: S3ObjectStore;
  const isObject = (method: string, path: string): boolean =>
    method === 'PUT' && /endpoints\/dev\/[^/]+\.json$/.test(path);
  const isRecord = (method: string, path: string): boolean => method === 'PUT' && path.includes('/history/');

  beforeAll(async () => {
    const { region, accessKeyId, secretAccessKey } = inject('s3');
    proxy = await startS3Proxy(inject('s3'));
    const credentials = { accessKeyId, secretAccessKey };
    through = new S3ObjectStore({ bucket: 'contract-endpoints', endpoint: proxy.endpoint, region, credentials });
    await through.createBucketIfMissing();
  });
  beforeEach(() => proxy.faults.clear());
  afterAll(async () => {
    through.close();
    await proxy.stop();
  });

  it('lists its models in one request for a page, however many they are', async () => {
    const own = `dev-${randomUUID().slice(0, 8)}`;
    const models = Array.from({ length: 20 }, (_, n) => `bot-${n}`);
    for (const model of models) {
      await through.put(endpointKey(own, model), '{}');
      await through.put(endpointHistoryKey(own, model, 1), '{}');
    }
    const requests = proxy.faults.add({ kind: 'slow', delayMs: 0, times: Infinity });
    expect((await collect(new ObjectStoreEndpoints(through, own).models())).sort()).toEqual(models.sort());
    expect(requests.hits).toBe(1);
  });

  for (const kind of ['drop-after', 'error-after', 'drop', 'error'] as const) {
    for (const [what, match] of [
      ['object', isObject],
      ['record', isRecord],
    ] as const) {
      it.each([1, 3])(`still knows that it won (${kind} of the ${what}, %i times)`, async (times) => {
        const endpoints = new ObjectStoreEndpoints(through, environment);
        const model = freshModel();
        const begun = first(model);
        const fault = proxy.faults.add({ kind, match, times });
        expect(await endpoints.write(model, begun, null)).toEqual({ won: true, state: begun });
        expect(fault.hits).toBe(times);
        const reading = (await endpoints.read(model)) ?? null;
        const trial = allowed(transitions.nameChallenger(begun, act(), { version: 2, trial: 't' }));
        const again = proxy.faults.add({ kind, match, times });
        expect(await endpoints.write(model, trial, reading)).toEqual({ won: true, state: trial });
        expect(again.hits).toBe(times);
        expect(await collect(endpoints.history(model))).toEqual([begun, trial]);
      });
    }
  }

  it('reads again what was damaged on its way, and what was cut off', async () => {
    const endpoints = new ObjectStoreEndpoints(through, environment);
    const model = freshModel();
    const begun = first(model);
    await endpoints.write(model, begun, null);
    for (const kind of ['corrupt-answer', 'cut-answer'] as const) {
      const fault = proxy.faults.add({ kind, match: (method) => method === 'GET' });
      expect((await endpoints.read(model))?.state).toEqual(begun);
      expect(fault.hits).toBe(1);
    }
  });

  it('says Unavailable, not that nothing is there, while the store is away', async () => {
    const endpoints = new ObjectStoreEndpoints(through, environment);
    await proxy.down();
    await expect(endpoints.read(freshModel())).rejects.toMatchObject({ type: 'Unavailable' });
    await proxy.up();
    const nowhere = new ObjectStoreEndpoints(through.bucket('no-such-bucket-anywhere'), environment);
    await expect(nowhere.read(freshModel())).rejects.toMatchObject({
      type: 'NotFound',
      details: { missing: 'bucket' },
    });
  });
});
