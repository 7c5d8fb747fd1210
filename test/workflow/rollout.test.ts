import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
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
  view,
  type Stage,
} from './rollout-fixture.js';

let stage: Stage;
afterEach(() => stage.close());

describe('a deploy', () => {
  test('that nothing speaks against is promoted by its weights, and leaves everything at rest', async () => {
    stage = await openStage({ routers: 2 });
    healthy(stage, 1);
    healthy(stage, 2);
    const outcome = await outcomeOf(await request(stage, { version: 2 }));
    expect(outcome).toMatchObject({ outcome: 'promoted', champion: 2, version: 2 });
    expect(outcome.weights.map(({ weightPercent, verdict }) => [weightPercent, verdict])).toEqual([
      [10, 'pass'],
      [100, 'pass'],
    ]);
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'weight', 'promote']);
    expect(await endpointOf(stage)).toMatchObject({ champion: 2, previous: 1 });
    await expectAtRest(stage);
  });

  test('whose requests fail is rolled back at its first weight, with the count of errors', async () => {
    stage = await openStage();
    healthy(stage, 1);
    stage.metrics.setTraffic(stage.model, 2, { requests: 40, errors: 30 });
    const outcome = await outcomeOf(await request(stage, { version: 2, rollout: quick({ pauseMs: 15_000 }) }));
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.weights).toMatchObject([{ weightPercent: 10, verdict: 'fail', requests: 40, errors: 30 }]);
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'abort']);
    expect((await endpointOf(stage))?.revoked).toMatchObject([{ version: 2, by: 'the canary' }]);
    await expectAtRest(stage);
  });

  test('without traffic is never promoted, and rolled back at its deadline', async () => {
    stage = await openStage();
    healthy(stage, 1);
    stage.metrics.setTraffic(stage.model, 2, { requests: 3 });
    const outcome = await outcomeOf(await request(stage, { version: 2, rollout: quick({ deadlineMs: 2_500 }) }));
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('3 of the 100 requests that a verdict needs');
    expect(await revokedOf(stage)).toEqual([]);
    await expectAtRest(stage);
  });

  test('that stays inconclusive is watched for as long as its limit says, and rolled back', async () => {
    stage = await openStage();
    healthy(stage, 1);
    stage.metrics.setTraffic(stage.model, 2, { requests: 300, errors: 15 });
    const rollout = quick({ inconclusiveLimit: 2, pauseMs: 200 });
    const outcome = await outcomeOf(await request(stage, { version: 2, rollout }));
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('Still inconclusive after 3 looks');
  });

  test('that stays inconclusive waits for a person where its settings say so', async () => {
    stage = await openStage();
    healthy(stage, 1);
    stage.metrics.setTraffic(stage.model, 2, { requests: 300, errors: 15 });
    const rollout = quick({ inconclusiveLimit: 0, onInconclusive: 'pause' });
    const asked = await request(stage, { version: 2, rollout });
    await until(stage, ({ operation }) => operation?.paused === true);
    await tell(stage, 'promote', 2);
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'promoted', champion: 2 });
    expect(outcome.reason).toContain('grace promoted it by hand');
    await expectAtRest(stage);
  });

  test.each([
    ['never comes up', { comesUp: 'never' as const }, 'was not ready'],
    ['dies while it comes up', { comesUp: 'fails' as const }, 'did not come up'],
    ['fails its probe', { probeErrors: 1 }, '1 of 2 requests failed'],
  ])('of a version that %s leaves the endpoint untouched', async (_, behaviour, reason) => {
    stage = await openStage();
    stage.serving.behave(stage.model, 2, behaviour);
    const asked = await request(stage, { version: 2, rollout: quick({ readyTimeoutMs: 1_000 }) });
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1, generation: 1 });
    expect(outcome.reason).toContain(reason);
    await expectAtRest(stage);
  });

  test('of a version that nobody registered is rolled back, and says which are known', async () => {
    stage = await openStage();
    const outcome = await outcomeOf(await request(stage, { version: 9 }));
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('has no version 9');
  });

  test('whose challenger dies on trial is rolled back', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const asked = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    stage.serving.crash(stage.model, 2);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(await revokedOf(stage)).toEqual([]);
    await expectAtRest(stage);
  });

  test('of the champion changes nothing', async () => {
    stage = await openStage();
    expect(await outcomeOf(await request(stage, { version: 1 }))).toMatchObject({
      outcome: 'unchanged',
      generation: 1,
    });
  });

  test('that is only tried out says what it would do', async () => {
    stage = await openStage();
    const outcome = await outcomeOf(await request(stage, { version: 2, dryRun: true }));
    expect(outcome).toMatchObject({ outcome: 'stopped', champion: 1, generation: 1 });
    expect(outcome.reason).toContain('would get 10, 100 % of the traffic');
    expect(stage.serving.launches).toHaveLength(1);
  });
});

describe('a first version', () => {
  test('becomes champion by its probe alone', async () => {
    stage = await openStage({ champion: false });
    expect(await outcomeOf(await request(stage, { version: 1 }))).toMatchObject({ outcome: 'promoted', champion: 1 });
    expect(await kindsOf(stage)).toEqual(['promote']);
    await expectAtRest(stage);
  });

  test('that is aborted before it served anybody is not rolled out by the next run, and is when asked for', async () => {
    stage = await openStage({ champion: false });
    stage.serving.behave(stage.model, 1, { comesUp: 'never' });
    const asked = await request(stage, { version: 1, rollout: quick({ readyTimeoutMs: 60_000 }) });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    await tell(stage, 'abort', 1);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: null });
    await expectAtRest(stage);
    stage.serving.behave(stage.model, 1, { comesUp: 'at once' });
    expect(await outcomeOf(await request(stage, { version: 1 }))).toMatchObject({
      outcome: 'unchanged',
      champion: null,
    });
    const again = await outcomeOf(await request(stage, { version: 1, again: true }));
    expect(again).toMatchObject({ outcome: 'promoted', champion: 1 });
    expect(await revokedOf(stage)).toEqual([]);
    await expectAtRest(stage);
  });

  test('that fails leaves no endpoint', async () => {
    stage = await openStage({ champion: false });
    stage.serving.behave(stage.model, 1, { probeErrors: 2 });
    const outcome = await outcomeOf(await request(stage, { version: 1 }));
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: null, generation: null });
    expect(await endpointOf(stage)).toBeUndefined();
    await expectAtRest(stage);
  });
});

describe('an operator', () => {
  test('aborts a trial', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const asked = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    await expect(tell(stage, 'abort', 3)).rejects.toMatchObject({
      cause: { message: 'Version 2 is being rolled out, and not version 3.' },
    });
    await tell(stage, 'abort', 2);
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('Aborted by grace: a test.');
    expect((await endpointOf(stage))?.revoked).toMatchObject([{ version: 2, by: 'grace' }]);
    await expectAtRest(stage);
  });

  test('aborts while the challenger is still launching', async () => {
    stage = await openStage();
    stage.serving.behave(stage.model, 2, { comesUp: 'never' });
    const asked = await request(stage, { version: 2, rollout: quick({ readyTimeoutMs: 60_000 }) });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    await tell(stage, 'abort', 2);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1, generation: 2 });
    expect(await revokedOf(stage)).toEqual([2]);
    await expectAtRest(stage);
  });

  test('aborts while a launch is being asked for, and retires what that launched', async () => {
    stage = await openStage();
    const { model, serving } = stage;
    const launch = serving.launch.bind(serving);
    const came: string[] = [];
    serving.launch = async (asked) => {
      came.push('asked');
      await sleep(1_500);
      await launch(asked);
      came.push('launched');
    };
    const retire = serving.retire.bind(serving);
    serving.retire = async (...of) => {
      came.push('retired');
      return retire(...of);
    };
    const asked = await request(stage, { version: 2 });
    await expect.poll(() => came, { timeout: 20_000 }).toContain('asked');
    await tell(stage, 'abort', 2);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1, generation: 2 });
    expect(await revokedOf(stage)).toEqual([2]);
    await expect.poll(() => came, { timeout: 20_000 }).toContain('launched');
    expect(came).toEqual(['asked', 'launched', 'retired']);
    expect(await serving.launched(model)).toEqual([1]);
    await expectAtRest(stage);
  });

  test('pauses a trial, which keeps its lease, and resumes it', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const asked = await request(stage, { version: 2, rollout: quick({ leaseMs: 1_500, weights: [20] }) });
    await until(stage, ({ operation }) => operation?.weightPercent === 20);
    await tell(stage, 'pause', 2);
    healthy(stage, 2);
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect((await view(stage)).operation).toMatchObject({ phase: 'trial', paused: true, weightPercent: 20 });
    expect(stage.serving.memoryRouters[0]?.shares(stage.model)).toEqual({ champion: 80, challenger: 20 });
    await tell(stage, 'resume', 2);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await expectAtRest(stage);
  });

  test('still sees a paused trial rolled back when it fails', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const asked = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    await tell(stage, 'pause', 2);
    stage.metrics.setTraffic(stage.model, 2, { requests: 50, errors: 40 });
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
  });

  test('is refused when it is too early, too late, or about nothing', async () => {
    stage = await openStage();
    stage.serving.behave(stage.model, 2, { comesUp: 'never' });
    const asked = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.note.startsWith('waiting until') === true);
    await expect(tell(stage, 'promote', 2)).rejects.toMatchObject({
      cause: { message: 'It is too early to promote: the version is still coming up.' },
    });
    await tell(stage, 'abort', 2);
    await outcomeOf(asked);
  });

  test('who cancels the workflow of the rollout gets a rollback, not a mess', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const asked = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.weightPercent === 10);
    await stage.client.workflow.getHandle(rolloutId(stage)).cancel();
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    await expectAtRest(stage);
  });
});

describe('two rollouts of one endpoint', () => {
  test('the second is refused while the first is on trial, and told who holds it', async () => {
    stage = await openStage();
    healthy(stage, 1);
    const key = randomUUID();
    const first = await request(stage, { version: 2 }, key);
    await until(stage, ({ operation }) => operation?.phase === 'trial');
    const second = await request(stage, { version: 3 });
    await expect(second.result()).rejects.toMatchObject({
      cause: { cause: { type: 'RolloutRefused', message: expect.stringContaining(key) } },
    });
    await tell(stage, 'abort', 2);
    expect(await outcomeOf(first)).toMatchObject({ outcome: 'rolled-back' });
    await expectAtRest(stage);
  });

  test('a request that is made twice under one id is one rollout', async () => {
    stage = await openStage();
    healthy(stage, 1);
    healthy(stage, 2);
    const key = randomUUID();
    const first = await outcomeOf(await request(stage, { version: 2 }, key));
    const again = await outcomeOf(await request(stage, { version: 2 }, key));
    expect(again).toEqual(first);
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'weight', 'promote']);
  });

  test('the second takes over what the first has left to do once that has committed', async () => {
    stage = await openStage();
    for (const version of [1, 2, 3]) healthy(stage, version);
    const setAlias = stage.registry.setAlias.bind(stage.registry);
    let away = true;
    stage.registry.setAlias = async (...move) => {
      if (away) throw new Error('the registry is away');
      return setAlias(...move);
    };
    const first = await request(stage, { version: 2 });
    await until(stage, ({ operation }) => operation?.phase === 'finishing');
    const second = await request(stage, { version: 3 });
    expect(await outcomeOf(first)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await until(stage, ({ operation }) => operation?.phase === 'finishing' && operation.version === 3);
    away = false;
    expect(await outcomeOf(second)).toMatchObject({ outcome: 'promoted', champion: 3 });
    await expectAtRest(stage);
  });
});

test('an engineer starts a deploy and a rollback by name, with one JSON object', async () => {
  stage = await openStage();
  for (const version of [1, 2]) healthy(stage, version);
  const run = async (name: string, input: object) =>
    stage.client.workflow.execute(name, {
      workflowId: `${name}-${randomUUID()}`,
      taskQueue: stage.taskQueue,
      args: [input],
    });
  const { model } = stage;
  expect(await run('canary-deploy', { model, version: 2 })).toMatchObject({ outcome: 'promoted' });
  expect(await run('rollback', { model, reason: 'users complain', dryRun: true })).toMatchObject({
    outcome: 'stopped',
  });
  expect(await run('rollback', { model, reason: 'users complain' })).toMatchObject({ outcome: 'rolled-back' });
  expect(await endpointOf(stage)).toMatchObject({ champion: 1 });
  await expectAtRest(stage);
  await expect(run('canary-deploy', { model: 'suport-bot', version: 2 })).rejects.toMatchObject({
    cause: { message: expect.stringContaining('No model is named "suport-bot": known are support-bot.') },
  });
});
