// An operator's words to a rollout, from a program.

import { afterEach, expect, test } from 'vitest';
import { PawlClient } from '../../client/client.js';
import type { OperatorWord } from '../../client/rollout.js';
import { healthy, openStage, outcomeOf, quick, request, until, type Stage } from './rollout-fixture.js';

let stage: Stage;
afterEach(() => stage.close());

const rolloutOf = ({ client, systems, model }: Stage) =>
  new PawlClient({ client, environment: systems.environment }).rollout(model);
const message = (version: number) => ({ version, by: 'grace', reason: 'a test' });

test('a program pauses a rollout, sees where it stands, resumes and promotes it', async () => {
  stage = await openStage();
  healthy(stage, 1);
  const rollout = rolloutOf(stage);
  const asked = await request(stage, { version: 2, rollout: quick({ weights: [20] }) });
  await until(stage, ({ operation }) => operation?.weightPercent === 20);
  await expect(rollout.promote(message(3))).rejects.toMatchObject({
    type: 'RolloutRefused',
    message: expect.stringContaining('2') as string,
  });
  await rollout.pause(message(2));
  expect((await rollout.state()).operation).toMatchObject({ version: 2, paused: true });
  await rollout.resume(message(2));
  expect((await rollout.state()).operation).toMatchObject({ version: 2, paused: false });
  await rollout.promote(message(2));
  expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
});

test('a program takes a challenger off', async () => {
  stage = await openStage();
  healthy(stage, 1);
  const asked = await request(stage, { version: 2, rollout: quick({ weights: [20] }) });
  await until(stage, ({ operation }) => operation?.weightPercent === 20);
  await rolloutOf(stage).abort(message(2));
  expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
});

test('a word about nothing is refused, and says what to look at', async () => {
  stage = await openStage();
  const words: OperatorWord[] = ['promote', 'pause', 'resume', 'abort'];
  for (const word of words)
    await expect(rolloutOf(stage).say(word, message(2))).rejects.toMatchObject({
      type: 'NotFound',
      message: expect.stringContaining(`"pawl endpoints ${stage.model}"`) as string,
    });
  await expect(rolloutOf(stage).state()).rejects.toMatchObject({ type: 'NotFound' });
});
