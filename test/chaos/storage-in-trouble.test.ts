// S3 that answers errors, slowly, half or not at all; credentials that expire; a registry that is away; a gateway without S3; and
// endpoint objects that are deleted or damaged. The worker, its jobs and the gateway reach S3 through fault proxies.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { endpointKey } from '../../systems/object-store/keys.js';
import { startS3Proxy, type Harm, type PlacedFault, type S3Proxy } from '../faults/s3-proxy.js';
import { until } from '../fixtures/until.js';
import { ChaosWorld, steady } from './chaos-world.js';

const timeout = 600_000;
let proxy: S3Proxy;
let gatewayProxy: S3Proxy;
let chaos: ChaosWorld;
let epochs = 4;

beforeAll(async () => {
  const s3 = inject('s3');
  const seed = Number(process.env['PAWL_CHAOS_SEED'] ?? Date.now() % 1e9);
  console.log(`the seed of these faults is ${seed}: PAWL_CHAOS_SEED=${seed} repeats them`);
  [proxy, gatewayProxy] = await Promise.all([startS3Proxy(s3, seed), startS3Proxy(s3, seed + 1)]);
  chaos = await ChaosWorld.open({
    temporal: inject('temporal'),
    s3,
    workerS3Endpoint: proxy.endpoint,
    gatewayS3Endpoint: gatewayProxy.endpoint,
  });
  expect(await chaos.lifecycle({ epochs })).toMatchObject({ outcome: 'promoted', version: 1, violations: [] });
}, timeout);
afterAll(async () => {
  await chaos.close();
  await Promise.all([proxy.stop(), gatewayProxy.stop()]);
});

const place = (harm: Harm, rate: number): PlacedFault => proxy.faults.add({ ...harm, rate, times: Infinity });

describe('S3', () => {
  test('that answers errors, slowly, half or not at all costs time and nothing else', { timeout }, async () => {
    const placed = [
      place({ kind: 'error', status: 503 }, 0.04),
      place({ kind: 'error', status: 500, code: 'InternalError' }, 0.04),
      place({ kind: 'error-after', status: 500, code: 'InternalError' }, 0.04),
      place({ kind: 'drop' }, 0.04),
      place({ kind: 'drop-after' }, 0.03),
      place({ kind: 'slow', delayMs: 400 }, 0.05),
      place({ kind: 'cut-answer' }, 0.03),
      place({ kind: 'cut-request' }, 0.06),
      place({ kind: 'corrupt-answer' }, 0.06),
    ];
    try {
      const run = await chaos.lifecycle({ epochs: ++epochs, data: 'more' });
      expect(run).toMatchObject({ outcome: 'promoted', violations: [] });
    } finally {
      proxy.faults.clear();
    }
    const landed = placed.map(({ hits }) => hits);
    console.log(`faults that landed, by kind: ${landed.join(', ')}`);
    expect(landed.filter((hits) => hits === 0)).toEqual([]);
  });

  test('that says ExpiredToken is named as such, and waited for', { timeout }, async () => {
    const champion = (await chaos.world.endpoint())!.champion!;
    const expired = proxy.faults.add({
      kind: 'expired-token',
      match: (method, path) => method === 'PUT' && path.includes('/datasets/'),
      times: Infinity,
    });
    const run = await chaos.conduct(async () => {
      await chaos.world.putData('fresh', chaos.freshRows());
      const begun = await chaos.begin({ epochs: ++epochs, data: 'fresh' });
      await until('the token was refused', async () => expired.hits > 0, 120_000);
      await until(
        'the run says so',
        async () => JSON.stringify(await chaos.pendingFailures(begun)).includes('CredentialsExpired'),
        120_000,
      );
      expired.remove();
      return chaos.endOf(begun);
    });
    expect(run).toMatchObject({ outcome: 'promoted', championBefore: champion, violations: [] });
  });
});

test(
  'aliases that cannot be written for longer than the next rollout takes agree in the end',
  { timeout },
  async () => {
    const { world } = chaos;
    const away = proxy.faults.add({
      kind: 'error',
      status: 503,
      match: (method, path) => method === 'PUT' && path.includes('/aliases/'),
      times: Infinity,
    });
    const run = await chaos.conduct(async () => {
      const first = await chaos.begin({ epochs: ++epochs });
      const champion = (await world.endpoint())!.champion!;
      await until('the first is promoted', async () => (await world.endpoint())?.champion === champion + 1, 240_000);
      // Its requester is told once another rollout takes over what is left to do.
      const second = await chaos.begin({ epochs: ++epochs });
      expect(await chaos.endOf(first)).toMatchObject({ outcome: 'promoted', output: { version: champion + 1 } });
      await until('the second is promoted', async () => (await world.endpoint())?.champion === champion + 2, 240_000);
      expect((await world.systems.registry.alias(world.model, 'champion'))?.version).toBe(champion);
      // What an engineer sees meanwhile.
      const shown = await chaos.pawl('endpoints', world.model);
      expect(shown).toMatchObject({ code: 1 });
      expect(shown.answer).toContain(`pawl reconcile ${world.model}`);
      expect(away.hits).toBeGreaterThan(0);
      away.remove();
      return chaos.endOf(second);
    });
    expect(run).toMatchObject({ outcome: 'promoted', violations: [] });
  },
);

describe('a gateway', () => {
  test(
    'without S3 keeps serving its users, and its lease, through a canary that waits for it',
    { timeout },
    async () => {
      const run = await chaos.harmTrial({ epochs: ++epochs, rollout: { leaseMs: 60_000 } }, async () => {
        await gatewayProxy.down();
        const seen = new Set<number | undefined>();
        for (let asked = 0; asked < 60; asked += 1) seen.add(await chaos.ask());
        expect([...seen].sort()).toEqual(
          [(await chaos.world.endpoint())?.champion, (await chaos.world.endpoint())?.challenger].sort(),
        );
        await gatewayProxy.up();
      });
      expect(run).toMatchObject({ outcome: 'promoted', violations: [] });
    },
  );

  test(
    'that is started anew within a trial gives the challenger up, and the rollout ends rolled-back',
    { timeout },
    async () => {
      const champion = (await chaos.world.endpoint())!.champion!;
      const run = await chaos.conduct(
        async () => {
          const begun = await chaos.begin({ epochs: ++epochs, rollout: { ...steady, pauseMs: 60_000 } });
          await chaos.onTrial();
          await chaos.restartGateway();
          await chaos.onlyChampionAnswers(champion, 30_000);
          return chaos.endOf(begun);
          // Nobody can be answered while the only gateway is down: that is what two of them are for.
        },
        { withoutTraffic: true },
      );
      expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
      expect(run.reason).toMatch(/lease ran out/);
      expect(await chaos.lastChange()).toBe('expire');
    },
  );
});

describe('an endpoint object', () => {
  const key = () => endpointKey(chaos.world.environment, chaos.world.model);

  test.each([
    ['deleted', async () => chaos.world.systems.objects.delete(key())],
    ['damaged', async () => chaos.world.systems.objects.put(key(), '{"champion":')],
  ])('that is %s is mended by pawl reconcile, and users notice nothing', { timeout }, async (_, harm) => {
    const before = (await chaos.world.systems.endpoints.read(chaos.world.model))!.state;
    const traffic = chaos.world.startTraffic(50);
    await harm();
    await expect(chaos.world.systems.endpoints.read(chaos.world.model)).rejects.toMatchObject({ type: 'Corrupt' });
    const shown = await chaos.pawl('endpoints', chaos.world.model);
    expect(shown).toMatchObject({ code: 1 });
    expect(shown.answer).toContain(`pawl reconcile ${chaos.world.model}`);
    expect(await chaos.pawl('reconcile', chaos.world.model, '--reason', 'it was lost')).toMatchObject({ code: 0 });
    const mended = (await chaos.world.systems.endpoints.read(chaos.world.model))!.state;
    expect(mended).toMatchObject({ champion: before.champion, previous: before.previous, challenger: null });
    expect(mended.generation).toBeGreaterThan(before.generation);
    expect(await chaos.pawl('endpoints', chaos.world.model)).toMatchObject({ code: 0 });
    await traffic.stop();
    expect([...traffic.counts.keys()]).toEqual([`v${before.champion} 200`]);
  });

  test(
    'that is deleted within a trial ends the rollout, and pawl reconcile brings production back',
    { timeout },
    async () => {
      const champion = (await chaos.world.endpoint())!.champion!;
      const begun = await chaos.begin({ epochs: ++epochs, rollout: { ...steady, pauseMs: 60_000 } });
      await chaos.onTrial();
      await chaos.world.systems.objects.delete(key());
      const { outcome, output } = await chaos.endOf(begun);
      expect(outcome).toBe('rolled-back');
      expect(output['rollout']).toContain(`pawl reconcile ${chaos.world.model}`);
      expect(await chaos.pawl('reconcile', chaos.world.model)).toMatchObject({ code: 0 });
      await chaos.onlyChampionAnswers(champion, 60_000);
      // What was left to do is done now that the endpoint can be read.
      await chaos.rest();
      expect(await chaos.world.endpoint()).toMatchObject({ champion, challenger: null });
    },
  );
});
