// The promise, on real servers: a good model moves production forward one notch, a bad one leaves it where it was.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { LifecycleWorld, questions } from '../fixtures/lifecycle-world.js';

let world: LifecycleWorld;

beforeAll(async () => {
  world = await LifecycleWorld.open({ temporal: inject('temporal'), s3: inject('s3') });
  await Promise.all([world.startGateway(), world.startWorker()]);
});
afterAll(() => world.close());

const aliases = async (): Promise<Record<string, number | undefined>> => ({
  champion: (await world.systems.registry.alias(world.model, 'champion'))?.version,
  challenger: (await world.systems.registry.alias(world.model, 'challenger'))?.version,
  previous: (await world.systems.registry.alias(world.model, 'previous'))?.version,
});

describe('model-lifecycle', () => {
  test('promotes the first version after a probe, then the next one through a canary, and loses no request', async () => {
    expect(await world.run(world.params())).toMatchObject({ outcome: 'promoted', output: { version: 1 } });
    expect(await world.endpoint()).toMatchObject({
      champion: 1,
      challenger: null,
      weights: { champion: 100, challenger: 0 },
    });

    const traffic = world.startTraffic();
    expect(await world.run(world.params({ settings: { epochs: 12 } }))).toMatchObject({
      outcome: 'promoted',
      output: { version: 2 },
    });
    await traffic.stop();
    expect(await world.endpoint()).toMatchObject({ champion: 2, previous: 1, challenger: null });
    expect(await aliases()).toEqual({ champion: 2, challenger: undefined, previous: 1 });
    expect([...traffic.counts.keys()].sort()).toEqual(['v1 200', 'v2 200']);
  });

  test('ends unchanged where neither data nor settings differ from the champion', async () => {
    expect(await world.run(world.params({ settings: { epochs: 12 } }))).toMatchObject({ outcome: 'unchanged' });
  });

  test('rejects a model that learned nothing, and leaves production alone', async () => {
    const before = await world.systems.endpoints.read(world.model);
    await world.putData('shuffled', questions({ shuffled: true }));
    const { outcome, output } = await world.run(world.params({ data: 'shuffled' }));
    expect(outcome).toBe('rejected');
    expect(output['verdict']).toMatch(/^Rejected: exactMatch/);
    expect((await world.systems.endpoints.read(world.model))?.etag).toBe(before?.etag);
  });

  test('goes back to the previous version as an engineer would ask for it', async () => {
    expect(await world.run({ model: world.model, reason: 'users complain' }, 'rollback')).toMatchObject({
      outcome: 'rolled-back',
      output: { champion: 1 },
    });
    expect(await aliases()).toMatchObject({ champion: 1 });
  });
});
