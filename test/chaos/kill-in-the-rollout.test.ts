// kill -9 of the worker before and after every effect of a rollout: towards a promotion, back from a canary that fails its
// users, and back to the previous version as an engineer asks for it.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ChaosWorld, type ChaosRun } from './chaos-world.js';
import { expectKilledAround } from './expect-killed.js';

const sites =
  '^(objects\\.put (endpoint|serving record|registry aliases)|compute\\.\\w+ service|router|serving|temporal)';

/** Answers its probe, and fails its users. */
const failingServer = `
import { createServer } from 'node:http';
createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const fine = request.url === '/health' || body.includes('probe');
  response.writeHead(fine ? 200 : 500, { 'content-type': 'application/json' }).end('{}');
}).listen(Number(process.argv[3]), '127.0.0.1');
`;

let chaos: ChaosWorld;
beforeAll(async () => {
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') }, sites);
});
afterAll(async () => {
  console.log(chaos.report('rollout'));
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
      'objects.put endpoint history promote',
      'objects.put registry aliases',
      'router.sync',
      'router.renewLease',
      'objects.put serving record retiring',
      'compute.remove service',
      'objects.put serving record retired',
    ]);
  });

  test('does not keep a canary that fails its users', { timeout: 900_000 }, async () => {
    await chaos.forget('serving record retir|compute.remove|registry aliases');
    const challenger = 1 + Math.max(...(await chaos.versions()));
    const run = await chaos.lifecycle({
      epochs: 20,
      server: failingServer,
      probe: '{"prompt":"probe"}',
      mayFail: [challenger],
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', version: challenger, violations: [] });
    expect(run.deaths).toBeGreaterThanOrEqual(4);
  });

  test('goes back to the previous version once', { timeout: 900_000 }, async () => {
    await chaos.forget('serving|compute|registry aliases|router');
    const previous = (await chaos.world.endpoint())?.previous ?? null;
    const run = await chaos.conduct(async () => {
      const ended = await chaos.world.run({ model: chaos.world.model, reason: 'users complain' }, 'rollback');
      // The answer names the champion that was gone back to.
      return { outcome: 'promoted', output: { ...ended.output, version: ended.output['champion'] } };
    });
    expect(run).toMatchObject({ version: previous, violations: [] });
    expectKilledAround(chaos.effects, [
      'temporal.begin rollback',
      'objects.put endpoint rollback',
      'objects.put endpoint history rollback',
    ]);
  });

  test('loses the lease where it takes too long, and the challenger with it', { timeout: 900_000 }, async () => {
    await chaos.forget('endpoint weight');
    const run = await chaos.lifecycle({ epochs: 30, rollout: { leaseMs: 1_000, pauseMs: 4_000 } });
    expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
    expect(run.reason).toMatch(/lease ran out/);
    expect(await chaos.lastChange()).toBe('expire');
  });
});
