import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { moveEndpoint } from '../../systems/endpoint/move.js';
import { rollBack as rollBackTo } from '../../systems/endpoint/transitions.js';
import {
  endpointOf,
  expectAtRest,
  healthy,
  kindsOf,
  openStage,
  outcomeOf,
  quick,
  request,
  revokedOf,
  rolloutId,
  tell,
  until,
  type Stage,
} from './rollout-fixture.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
  for (const version of [1, 2, 3]) healthy(stage, version);
});
afterEach(() => stage.close());

const rollBack = (input: Record<string, unknown> = {}, runId?: string) =>
  request(stage, { reason: 'users complain', ...input }, runId);
const promote = async (version: number) =>
  expect(await outcomeOf(await request(stage, { version }))).toMatchObject({ outcome: 'promoted' });

describe('a rollback', () => {
  test('goes back to the previous version, launched anew, with traffic and aliases as before', async () => {
    await promote(2);
    expect(await stage.serving.launched(stage.model)).toEqual([2]);
    expect(await outcomeOf(await rollBack())).toMatchObject({ outcome: 'rolled-back', version: 1, champion: 1 });
    await expectAtRest(stage);
  });

  test('keeps the version that it left from being rolled out again, until somebody asks for it by name', async () => {
    await promote(2);
    await outcomeOf(await rollBack({ reason: 'answers in French' }));
    const nightly = await outcomeOf(await request(stage, { version: 2 }));
    expect(nightly).toMatchObject({ outcome: 'unchanged', champion: 1 });
    expect(nightly.reason).toMatch(/^Version 2 is not rolled out again .* taken back by ada on .*: answers in French/);
    expect(await stage.serving.launched(stage.model)).toEqual([1]);
    const tried = await outcomeOf(await request(stage, { version: 2, dryRun: true }));
    expect(tried.reason).toContain('Nothing would happen.');
    const again = await outcomeOf(await request(stage, { version: 2, again: true }));
    expect(again).toMatchObject({ outcome: 'promoted' });
    expect(again.reason).toMatch(/ It had been taken back by ada on .*: answers in French\.$/);
    expect(await endpointOf(stage)).toMatchObject({ champion: 2, revoked: [] });
    await expectAtRest(stage);
  });

  test('to a previous version that was taken back itself goes only where that is named', async () => {
    await promote(2);
    const again = await request(stage, { version: 1, rollout: quick({ pauseMs: 15_000 }) });
    await until(stage, ({ operation }) => operation?.version === 1 && operation.weightPercent === 10);
    await tell(stage, 'abort', 1);
    await outcomeOf(again);
    await expect((await rollBack()).result()).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/^Version 1, the previous one, was taken back by grace .*--to/) },
    });
    expect((await outcomeOf(await rollBack({ dryRun: true }))).reason).toContain('It would be refused');
    expect(await outcomeOf(await rollBack({ toVersion: 1 }))).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(await revokedOf(stage)).toEqual([2]);
    await expectAtRest(stage);
  });

  test('moves once when it is asked for twice under one id', async () => {
    await promote(2);
    const key = randomUUID();
    const first = await outcomeOf(await rollBack({}, key));
    expect(await outcomeOf(await rollBack({}, key))).toEqual(first);
    expect((await kindsOf(stage)).filter((kind) => kind === 'rollback')).toHaveLength(1);
  });

  test('moves once even when another rollout has ended since, and Temporal has forgotten the first answer', async () => {
    await promote(2);
    const key = randomUUID();
    await outcomeOf(await rollBack({}, key));
    await promote(3);
    expect(await outcomeOf(await rollBack({}, key))).toMatchObject({ outcome: 'rolled-back' });
    expect(await endpointOf(stage)).toMatchObject({ champion: 3 });
    await expectAtRest(stage);
  });

  test('goes to a version that is named', async () => {
    await promote(2);
    await promote(3);
    expect(await outcomeOf(await rollBack({ toVersion: 1 }))).toMatchObject({ version: 1, champion: 1 });
    await expectAtRest(stage);
  });

  test('to a version that does not come up fails, and leaves everything as it was', async () => {
    await promote(2);
    stage.serving.behave(stage.model, 1, { comesUp: 'fails' });
    const asked = await rollBack();
    await expect(asked.result()).rejects.toMatchObject({ cause: { type: 'StepFailed' } });
    expect(await endpointOf(stage)).toMatchObject({ champion: 2, previous: 1 });
    await expectAtRest(stage);
  });

  test('that finds the endpoint moved by somebody else meanwhile leaves it alone', async () => {
    await promote(2);
    await promote(3);
    stage.serving.behave(stage.model, 1, { comesUp: 'never' });
    const asked = await rollBack({ toVersion: 1 });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    const act = { operationId: randomUUID(), by: 'grace', reason: 'at night', at: new Date().toISOString() };
    await moveEndpoint(stage.endpoints, stage.model, {
      operationId: act.operationId,
      decide: (s) => rollBackTo(s, act),
    });
    stage.serving.behave(stage.model, 1, { comesUp: 'at once' });
    await expect(asked.result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('Somebody else moved the endpoint') },
    });
    expect(await endpointOf(stage)).toMatchObject({ champion: 2 });
    expect((await kindsOf(stage)).filter((kind) => kind === 'rollback')).toHaveLength(1);
  });

  test('without anything to go back to says so', async () => {
    await expect((await rollBack()).result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('has no previous version: name one with toVersion') },
    });
  });

  test('that is only tried out moves nothing', async () => {
    await promote(2);
    const outcome = await outcomeOf(await rollBack({ dryRun: true }));
    expect(outcome).toMatchObject({ outcome: 'stopped', version: 1, champion: 2 });
    expect(outcome.reason).toContain('would be launched where it is not running');
  });

  test('aborts a trial in flight, and the champion stays', async () => {
    const deploy = await request(stage, { version: 2, rollout: quick({ pauseMs: 15_000 }) });
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    const outcome = await outcomeOf(await rollBack());
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('The trial was aborted; version 1 stays the champion.');
    expect(await outcomeOf(deploy)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'abort']);
    expect((await endpointOf(stage))?.revoked).toMatchObject([{ version: 2, by: 'ada' }]);
    await expectAtRest(stage);
  });

  test('to a version that is named goes there from a trial in flight, too', async () => {
    await promote(2);
    const deploy = await request(stage, { version: 3, rollout: quick({ pauseMs: 15_000 }) });
    await until(stage, ({ operation }) => operation?.version === 3 && operation.weightPercent === 10);
    expect(await outcomeOf(await rollBack({ toVersion: 1 }))).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(await outcomeOf(deploy)).toMatchObject({ outcome: 'rolled-back', champion: 2 });
    expect((await kindsOf(stage)).slice(-2)).toEqual(['abort', 'rollback']);
    await expectAtRest(stage);
  });

  test('whose workflow is gone leaves the trial alone that was begun since', async () => {
    await promote(2);
    stage.serving.behave(stage.model, 1, { comesUp: 'never' });
    const lost = await rollBack({ rollout: quick({ leaseMs: 2_000 }) });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    await stage.client.workflow.getHandle(rolloutId(stage)).terminate('an operator');
    const deploy = await request(stage, { version: 3, rollout: quick({ pauseMs: 4_000, weights: [100] }) });
    await expect(lost.result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('another rollout has taken its place') },
    });
    expect(await outcomeOf(deploy)).toMatchObject({ outcome: 'promoted', champion: 3 });
  });

  test('aborts a trial whose challenger is still launching: the service is released, the champion stays', async () => {
    await promote(2);
    stage.serving.behave(stage.model, 3, { comesUp: 'never' });
    const deploy = await request(stage, { version: 3, rollout: quick({ readyTimeoutMs: 60_000 }) });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    const key = randomUUID();
    expect(await outcomeOf(await rollBack({}, key))).toMatchObject({ outcome: 'rolled-back', champion: 2 });
    expect(await outcomeOf(deploy)).toMatchObject({ outcome: 'rolled-back', champion: 2 });
    await expectAtRest(stage);
    // Later, when Temporal's own memory of it is gone, the endpoint's history still knows that it was done.
    expect(await outcomeOf(await request(stage, { version: 3, again: true }))).toMatchObject({
      outcome: 'rolled-back',
    });
    expect(await outcomeOf(await rollBack({}, key))).toMatchObject({ outcome: 'rolled-back', champion: 2 });
  });

  test('as a rollout’s teardown does nothing once that was decided', async () => {
    const runId = randomUUID();
    await outcomeOf(await request(stage, { version: 2 }, runId));
    const teardown = await rollBack({ ofStep: 'canary-deploy' }, runId);
    expect(await outcomeOf(teardown)).toMatchObject({ outcome: 'unchanged', champion: 2 });
  });

  test('as a rollout’s teardown ends that trial, and leaves another’s alone', async () => {
    const runId = randomUUID();
    const deploy = await request(stage, { version: 2, rollout: quick({ pauseMs: 15_000 }) }, runId);
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    const other = await rollBack({ ofStep: 'canary-deploy' }, randomUUID());
    expect(await outcomeOf(other)).toMatchObject({ outcome: 'unchanged' });
    expect(await endpointOf(stage)).toMatchObject({ challenger: 2 });
    const own = await rollBack({ ofStep: 'canary-deploy' }, runId);
    expect(await outcomeOf(own)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(await outcomeOf(deploy)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    // Nothing was said against the version.
    expect(await revokedOf(stage)).toEqual([]);
    await expectAtRest(stage);
  });
});
