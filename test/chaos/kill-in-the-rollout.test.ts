// kill -9 of the worker before and after every effect of a rollout towards a promotion.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ChaosWorld, type ChaosRun } from './chaos-world.js';
import { rolloutSites } from './effect-sites.js';
import { expectKilledAround } from './expect-killed.js';

let chaos: ChaosWorld;
beforeAll(async () => {
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') }, rolloutSites);
});
afterAll(async () => {
  console.log(chaos.report('a rollout towards a promotion'));
  await chaos.close();
});

/** A worker that takes too long to be replaced loses the lease, and that rollout with it: the next one gets further. */
async function until(outcome: string, attempt: (number: number) => Promise<ChaosRun>): Promise<ChaosRun> {
  for (let number = 1; ; number += 1) {
    const run = await attempt(number);
    expect(run.violations).toEqual([]);
    if (run.outcome === outcome || number === 8) return run;
    console.log(`another try, since it ended ${run.outcome}: ${run.reason}`);
  }
}

describe('a worker that is killed around every effect of a rollout', () => {
  test('leaves a first champion, and then the next one: no request is lost', { timeout: 1_800_000 }, async () => {
    const first = await chaos.lifecycle({ epochs: 4 });
    expect(first).toMatchObject({ outcome: 'promoted', version: 1, violations: [] });
    const next = await until('promoted', (number) => chaos.lifecycle({ epochs: 4 + number }));
    expect(next.outcome).toBe('promoted');
    expectKilledAround(chaos.effects, [
      'temporal.begin deploy',
      'objects.put serving record launching',
      'compute.submit service',
      'objects.put serving record launching, job known',
      'objects.put serving record running',
      'serving.probe',
      'objects.put endpoint first promotion',
      'objects.put endpoint history first promotion',
      'objects.put endpoint trial',
      'objects.put endpoint history trial',
      'objects.put endpoint weight 50',
      'objects.put endpoint history weight 50',
      'objects.put endpoint weight 100',
      'objects.put endpoint history weight 100',
      'objects.put endpoint promote',
      'objects.put registry aliases',
      'router.sync',
      'router.renewLease',
      'objects.put serving record retiring',
      'compute.remove service',
      'objects.put serving record retired',
    ]);
  });
});
