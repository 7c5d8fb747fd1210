// kill -9 of the worker before and after every effect of data, training, evaluation and registration, on the way to a first
// version ever and to a rejection.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { questions } from '../fixtures/lifecycle-world.js';
import { ChaosWorld } from './chaos-world.js';
import { expectKilledAround } from './expect-killed.js';

/** PAWL_CHAOS_SITES narrows them, as a regular expression. */
const sites =
  process.env['PAWL_CHAOS_SITES'] ??
  '^(objects\\.put (dataset|claim|job|evaluations|registry (digests|versions)|run record)|compute\\.\\w+ (fine-tune|evaluate))';

let chaos: ChaosWorld;
beforeAll(async () => {
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') }, sites);
});
afterAll(async () => {
  console.log(chaos.report('data, training, evaluation, registration'));
  await chaos.close();
});

describe('a worker that is killed around every effect up to the registration', () => {
  test(
    'costs no second job and no second version: a first version ever is promoted',
    { timeout: 1_800_000 },
    async () => {
      const run = await chaos.lifecycle({ epochs: 4 });
      expect(run).toMatchObject({ outcome: 'promoted', version: 1, violations: [] });
      const wanted = [
        'objects.put dataset train.jsonl',
        'objects.put dataset validation.jsonl',
        'objects.put dataset test.jsonl',
        'objects.put dataset manifest.json',
        'objects.put dataset latest',
        'objects.put claim fine-tune claimed',
        'compute.submit fine-tune',
        'objects.put claim fine-tune submitted',
        'objects.put claim fine-tune released',
        'compute.remove fine-tune',
        'objects.put evaluations champion.json',
        'objects.put claim evaluate claimed',
        'compute.submit evaluate',
        'objects.put claim evaluate submitted',
        'objects.put claim evaluate released',
        'compute.remove evaluate',
        'objects.put registry digests',
        'objects.put registry versions',
        'objects.put run record running',
        'objects.put run record completed',
      ];
      expectKilledAround(
        chaos.effects,
        wanted.filter((site) => new RegExp(sites).test(site)),
      );
    },
  );

  test('does not let a rejected model through', { timeout: 900_000 }, async () => {
    await chaos.world.putData('shuffled', questions({ shuffled: true }));
    await chaos.forget('claim (fine-tune|evaluate) released|compute.remove|run record completed');
    const run = await chaos.lifecycle({ epochs: 4, data: 'shuffled' });
    expect(run).toMatchObject({ outcome: 'rejected', violations: [] });
    expect(run.deaths).toBeGreaterThanOrEqual(8);
  });
});
