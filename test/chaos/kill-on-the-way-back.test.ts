// kill -9 of the worker before and after every effect on the way back: from a canary that fails its users, to the previous
// version or another one as an engineer asks for it, and where the lease runs out meanwhile.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ChaosWorld, steady } from './chaos-world.js';
import { rolloutSites } from './effect-sites.js';
import { expectKilledAround } from './expect-killed.js';

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

/** What has to happen for a challenger to fail its users and be gone. A state is written to the history by the move that ends it. */
const takingOff =
  '^(objects\\.put (endpoint( history)? (weight|abort)|serving record retir|registry aliases)|compute\\.remove service)';

/** Where the way to another version is decided; all that happens between has been killed at before. */
const decisive = [
  'temporal.begin rollback',
  'objects.put endpoint abort',
  'compute.submit service',
  'objects.put serving record running',
  'objects.put endpoint rollback',
];

let chaos: ChaosWorld;
beforeAll(async () => {
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') });
  for (const version of [1, 2])
    expect(await chaos.lifecycle({ epochs: 3 + version })).toMatchObject({
      outcome: 'promoted',
      version,
      violations: [],
    });
  await chaos.killAt(takingOff);
}, 300_000);
afterAll(async () => {
  console.log(chaos.report('the way back'));
  await chaos.close();
});

describe('a worker that is killed around every effect on the way back', () => {
  test('does not keep a canary that fails its users', { timeout: 900_000 }, async () => {
    const challenger = 1 + Math.max(...(await chaos.versions()));
    const run = await chaos.lifecycle({
      epochs: 20,
      server: failingServer,
      probe: '{"prompt":"probe"}',
      mayFail: [challenger],
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', version: challenger, violations: [] });
    expect(run.reason).toMatch(/requests failed/);
    expectKilledAround(chaos.effects, [
      'objects.put endpoint weight 50',
      'objects.put endpoint history weight 50',
      'objects.put endpoint abort',
      'objects.put registry aliases',
      'objects.put serving record retiring',
      'compute.remove service',
      'objects.put serving record retired',
    ]);
  });

  test('goes back to the previous version once', { timeout: 900_000 }, async () => {
    await chaos.forget('serving|compute|registry aliases|router');
    await chaos.killAt(rolloutSites);
    const previous = (await chaos.world.endpoint())?.previous ?? null;
    const run = await chaos.conduct(async () => {
      const ended = await chaos.world.run({ model: chaos.world.model, reason: 'users complain' }, 'rollback');
      // The answer names the champion that was gone back to.
      return { outcome: 'promoted', output: { ...ended.output, version: ended.output['champion'] } };
    });
    expect(run).toMatchObject({ version: previous, violations: [] });
    expectKilledAround(chaos.effects, [
      'temporal.begin rollback',
      'objects.put endpoint history abort',
      'objects.put endpoint rollback',
    ]);
  });

  test('loses the lease where it takes too long, and the challenger with it', { timeout: 900_000 }, async () => {
    await chaos.forget('endpoint weight');
    const run = await chaos.lifecycle({ epochs: 30, rollout: { leaseMs: 1_000, pauseMs: 4_000 } });
    expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
    expect(run.reason).toMatch(/lease ran out/);
    expect(await chaos.lastChange()).toBe('expire');
    expectKilledAround(chaos.effects, ['objects.put endpoint history rollback', 'objects.put endpoint expire']);
  });

  test('takes a trial off first where it is to go to another version', { timeout: 900_000 }, async () => {
    const { world } = chaos;
    const champion = (await world.endpoint())?.champion;
    const toVersion = champion === 2 ? 1 : 2;
    await chaos.killAt('');
    const run = await chaos.conduct(async () => {
      const begun = await chaos.begin({ epochs: 40, rollout: { ...steady, pauseMs: 600_000 } });
      await chaos.whileOpen(begun, chaos.onTrial());
      await chaos.forget('.');
      await chaos.killAt(`^(${decisive.join('|').replaceAll('.', '\\.')})$`);
      const ended = await world.run({ model: world.model, reason: 'one that is known', toVersion }, 'rollback');
      expect((await chaos.endOf(begun)).outcome).toBe('rolled-back');
      return { outcome: 'promoted', output: { ...ended.output, version: ended.output['champion'] } };
    });
    expect(run).toMatchObject({ version: toVersion, championBefore: champion, violations: [] });
    expectKilledAround(chaos.effects, decisive);
  });
});
