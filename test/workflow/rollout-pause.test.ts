// What `pawl endpoints` and `pawl watch` say of a rollout that is paused.

import { afterEach, expect, test } from 'vitest';
import type { RolloutPause } from '../../cli/pause-text.js';
import { findPause } from '../../cli/rollout-pause.js';
import { PawlClient } from '../../client/client.js';
import { healthy, openStage, outcomeOf, quick, request, until, type Stage } from './rollout-fixture.js';

let stage: Stage;
afterEach(() => stage.close());

async function pauseOf({ client, systems, model }: Stage): Promise<RolloutPause | undefined> {
  const rollout = new PawlClient({ client, environment: systems.environment }).rollout(model);
  return findPause(client, rollout, (await rollout.state()).operation);
}

test('is who said it last, since when and why, and nothing once it goes on', async () => {
  stage = await openStage();
  healthy(stage, 1);
  const rollout = new PawlClient({ client: stage.client, environment: stage.systems.environment }).rollout(stage.model);
  const asked = await request(stage, { version: 2, rollout: quick({ weights: [20] }) });
  await until(stage, ({ operation }) => operation?.weightPercent === 20);
  expect(await pauseOf(stage)).toBeUndefined();
  await rollout.pause({ version: 2, by: 'ann', reason: 'too early' });
  await rollout.resume({ version: 2, by: 'ann', reason: 'now' });
  expect(await pauseOf(stage)).toBeUndefined();
  const before = Date.now();
  await rollout.pause({ version: 2, by: 'grace', reason: 'users complain' });
  const pause = await pauseOf(stage);
  expect(pause).toMatchObject({ version: 2, weightPercent: 20, by: 'grace', reason: 'users complain' });
  expect(Math.abs(Date.parse(pause?.since ?? '') - before)).toBeLessThan(30_000);
  await rollout.promote({ version: 2, by: 'grace', reason: 'a test' });
  await outcomeOf(asked);
  expect(await pauseOf(stage)).toBeUndefined();
});
