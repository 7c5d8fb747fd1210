import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RolloutDesk } from '../../activities/rollout/requests.js';
import { championOnly } from '../../systems/endpoint/transitions.js';
import { endpointKey } from '../../systems/object-store/keys.js';
import { SystemError } from '../../dag/failures.js';
import {
  endpointOf,
  expectAtRest,
  healthy,
  kindsOf,
  openStage,
  outcomeOf,
  quick,
  request,
  rolloutId,
  tell,
  until,
  type Asked,
  type Stage,
} from './rollout-fixture.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage({ routers: 2 });
  healthy(stage, 1);
});
afterEach(() => stage.close());

const slow = quick({ pauseMs: 60_000, leaseMs: 3_000, deadlineMs: 60_000 });
const challengerShares = () => stage.serving.memoryRouters.map((each) => each.shares(stage.model).challenger);
const onTrial = async (key?: string): Promise<Asked> => {
  const asked = await request(stage, { version: 2, rollout: slow }, key);
  await until(stage, ({ operation }) => operation?.weightPercent === 10);
  await expect.poll(challengerShares, { timeout: 20_000 }).toEqual([10, 10]);
  return asked;
};
const router = (index: number) => {
  const found = stage.serving.memoryRouters[index];
  if (found === undefined) throw new Error(`no router ${index}`);
  return found;
};

describe('the endpoint', () => {
  test('moved by somebody else ends the rollout, which writes no more', async () => {
    const asked = await onTrial();
    const reading = await stage.endpoints.read(stage.model);
    const act = { operationId: randomUUID(), by: 'grace', reason: 'at night', at: new Date().toISOString() };
    const moved = championOnly(reading?.state ?? null, act);
    if (!moved.allowed || reading === undefined) throw new Error('not allowed');
    await stage.endpoints.write(stage.model, moved.next, reading);
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('Somebody else moved the endpoint');
    expect((await kindsOf(stage)).at(-1)).toBe('champion-only');
    await expectAtRest(stage);
  });

  test('that is deleted mid-canary ends the rollout, and the lease sends all to the champion', async () => {
    const asked = await onTrial();
    await stage.systems.objects.delete(endpointKey(stage.systems.environment, stage.model));
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back' });
    expect(outcome.reason).toContain('pawl reconcile');
    await expect.poll(challengerShares, { timeout: 5_000 }).toEqual([0, 0]);
    await stage.client.workflow.getHandle(rolloutId(stage)).terminate('the end of the test');
  });

  test('whose write succeeds while its answer is lost is written once', async () => {
    healthy(stage, 2);
    const write = stage.endpoints.write.bind(stage.endpoints);
    const lost: string[] = [];
    stage.endpoints.write = async (...args) => {
      const answer = await write(...args);
      const [, { operationId, change }] = args;
      if (lost.includes(operationId)) return answer;
      lost.push(operationId);
      throw new SystemError('Unavailable', `the answer to ${change.kind} was lost`);
    };
    const outcome = await outcomeOf(await request(stage, { version: 2 }));
    expect(outcome).toMatchObject({ outcome: 'promoted', champion: 2 });
    expect(lost).toHaveLength(4);
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'weight', 'promote']);
    await expectAtRest(stage);
  });
});

describe('the lease', () => {
  test('that runs out at one router is written down, and the weight never rises again', async () => {
    const asked = await onTrial();
    router(1).restart();
    await router(1).sync(stage.model);
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('The lease ran out at router memory-1');
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'expire']);
    await expectAtRest(stage);
  });

  test('is lost at a router that cannot be reached for as long as it lasts', async () => {
    const asked = await onTrial();
    router(1).away = true;
    await until(stage, ({ operation, finished }) => operation?.phase !== 'trial' || finished.length > 0);
    router(1).away = false;
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect((await kindsOf(stage)).at(-1)).toBe('expire');
    await expectAtRest(stage);
  });

  test('is not kept up for a higher weight that a router which stays away never takes', async () => {
    const asked = await request(stage, { version: 2, rollout: quick({ pauseMs: 1_000, leaseMs: 3_000 }) });
    await expect.poll(challengerShares, { timeout: 20_000 }).toEqual([10, 10]);
    stage.metrics.set(stage.model, 2, (windowMs) => {
      router(1).away = true;
      return { requests: 1_000, errors: 0, latency: { boundsMs: [10], counts: [1_000, 0] }, coveredMs: windowMs };
    });
    await expect.poll(() => kindsOf(stage), { timeout: 20_000 }).toEqual(['promote', 'trial', 'weight', 'expire']);
    router(1).away = false;
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('The lease ran out');
    await expectAtRest(stage);
  });

  test('is not lost when a router is away for a moment', async () => {
    const asked = await onTrial();
    router(1).away = true;
    await new Promise((resolve) => setTimeout(resolve, 700));
    router(1).away = false;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(router(1).shares(stage.model)).toEqual({ champion: 90, challenger: 10 });
    await stage.client.workflow.getHandle(rolloutId(stage)).cancel();
    await outcomeOf(asked);
  });

  test('survives S3 being away: the observer goes on without it', async () => {
    const asked = await onTrial();
    const read = stage.endpoints.read.bind(stage.endpoints);
    stage.endpoints.read = async () => {
      throw new SystemError('Unavailable', 'S3 is away');
    };
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(router(0).shares(stage.model)).toEqual({ champion: 90, challenger: 10 });
    stage.endpoints.read = read;
    healthy(stage, 2);
    await stage.client.workflow.getHandle(rolloutId(stage)).cancel();
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back' });
  });
});

describe('a commit', () => {
  test('wants every router to answer', async () => {
    healthy(stage, 2);
    const rollout = quick({ weights: [100], pauseMs: 3_000, leaseMs: 60_000 });
    const asked = await request(stage, { version: 2, rollout });
    await expect.poll(challengerShares, { timeout: 20_000 }).toEqual([100, 100]);
    router(1).away = true;
    await until(stage, ({ operation }) => operation?.phase === 'committing');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await endpointOf(stage)).toMatchObject({ champion: 1, challenger: 2 });
    router(1).away = false;
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await expectAtRest(stage);
  });

  test('is given up where a router stays away: nobody watches the challenger meanwhile', async () => {
    const asked = await onTrial();
    router(1).away = true;
    await tell(stage, 'promote', 2);
    await until(stage, ({ operation }) => operation?.phase === 'committing');
    const undone = await request(stage, { reason: 'users complain' });
    await until(stage, ({ waiting }) => waiting !== null);
    await expect.poll(() => kindsOf(stage), { timeout: 20_000 }).toEqual(['promote', 'trial', 'weight', 'expire']);
    await expect.poll(() => router(0).shares(stage.model).challenger, { timeout: 5_000 }).toBe(0);
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    router(1).away = false;
    expect(await outcomeOf(undone)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    await expectAtRest(stage);
  });

  test('is followed by the old champion’s end only after every router has moved', async () => {
    healthy(stage, 2);
    const asked = await request(stage, { version: 2, rollout: quick({ weights: [100], leaseMs: 60_000 }) });
    const write = stage.endpoints.write.bind(stage.endpoints);
    stage.endpoints.write = async (...args) => {
      const answer = await write(...args);
      if (args[1].change.kind === 'promote') router(1).away = true;
      return answer;
    };
    await until(stage, ({ operation }) => operation?.phase === 'finishing');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await stage.serving.launched(stage.model)).toEqual([1, 2]);
    router(1).away = false;
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await expectAtRest(stage);
  });
});

describe('the run that asked', () => {
  test('may be terminated: the rollout goes on', async () => {
    healthy(stage, 2);
    const asked = await request(stage, { version: 2, rollout: quick({ pauseMs: 1_000 }) });
    await until(stage, ({ operation }) => operation?.phase === 'trial');
    await asked.terminate('an operator');
    await expect.poll(async () => (await endpointOf(stage))?.champion, { timeout: 20_000 }).toBe(2);
    const done = stage.client.workflow.getHandle(rolloutId(stage)).result() as Promise<{ finished: unknown[] }>;
    expect((await done).finished).toMatchObject([{ outcome: 'promoted' }]);
    await expectAtRest(stage);
  });

  test('is cancelled: the rollout is told, and the run waits for the way back', async () => {
    const asked = await onTrial();
    await asked.cancel();
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('the run that asked for it was cancelled');
    await expectAtRest(stage);
  });

  test('does not wait for ever for a rollout that was terminated: what it left is put in order', async () => {
    const asked = await onTrial();
    await stage.client.workflow.getHandle(rolloutId(stage)).terminate('an operator');
    const outcome = await outcomeOf(asked);
    expect(outcome).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect(outcome.reason).toContain('left alone');
    expect(await kindsOf(stage)).toEqual(['promote', 'trial', 'weight', 'abort']);
    await expectAtRest(stage);
  });

  test('learns that a terminated rollout had committed', async () => {
    healthy(stage, 2);
    const setAlias = stage.registry.setAlias.bind(stage.registry);
    stage.registry.setAlias = async (...move) => {
      if (stage.registry.setAlias !== setAlias && move[2].generation > 3) throw new Error('the registry is away');
      return setAlias(...move);
    };
    const asked = await request(stage, { version: 2, rollout: quick({ leaseMs: 1_500 }) });
    await until(stage, ({ operation }) => operation?.phase === 'finishing');
    await stage.client.workflow.getHandle(rolloutId(stage)).terminate('an operator');
    stage.registry.setAlias = setAlias;
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await expectAtRest(stage);
  });

  test('whose trial was left alone does not block the next rollout', async () => {
    const asked = await onTrial();
    await asked.terminate('an operator');
    await stage.client.workflow.getHandle(rolloutId(stage)).terminate('an operator');
    healthy(stage, 3);
    expect(await outcomeOf(await request(stage, { version: 3 }))).toMatchObject({ outcome: 'promoted', champion: 3 });
    await expectAtRest(stage);
  });
});

describe('the worker', () => {
  test('that is not there to say how a rollout stands is passing trouble', async () => {
    const { client, model } = stage;
    const { environment } = stage.systems;
    const handle = await client.workflow.start('rollout', {
      workflowId: rolloutId(stage),
      taskQueue: `nobody-${randomUUID()}`,
      args: [{ environment, model }],
    });
    const desk = new RolloutDesk(client, environment);
    const asked = client.withDeadline(Date.now() + 3000, () => desk.check({ model, operationId: 'asked-before' }));
    await expect(asked).rejects.toMatchObject({ type: 'Unavailable' });
    await handle.terminate('nobody works on it');
    expect(await desk.check({ model, operationId: 'asked-before' })).toEqual({ status: 'gone' });
  });

  test('that is replaced within the lease costs nothing', async () => {
    await stage.close();
    stage = await openStage();
    healthy(stage, 1);
    const rollout = quick({ pauseMs: 6_000, leaseMs: 20_000, weights: [50] });
    const asked = await request(stage, { version: 2, rollout });
    await until(stage, ({ operation }) => operation?.weightPercent === 50);
    healthy(stage, 2);
    await stage.stopWorkers();
    await stage.startWorker();
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'promoted', champion: 2 });
    await expectAtRest(stage);
  });

  test('that is away for longer than the lease finds it expired, and rolls back', async () => {
    const asked = await onTrial();
    await stage.stopWorkers();
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(router(0).shares(stage.model)).toEqual({ champion: 100, challenger: 0 });
    await stage.startWorker();
    expect(await outcomeOf(asked)).toMatchObject({ outcome: 'rolled-back', champion: 1 });
    expect((await kindsOf(stage)).at(-1)).toBe('expire');
    await expectAtRest(stage);
  });
});

test('a long history continues as new between two rollouts, with what is left to do', async () => {
  for (const version of [2, 3]) healthy(stage, version);
  const setAlias = stage.registry.setAlias.bind(stage.registry);
  stage.registry.setAlias = async () => {
    throw new Error('the registry is away');
  };
  const first = await request(stage, { version: 2 });
  await until(stage, ({ operation }) => operation?.phase === 'finishing');
  const handle = stage.client.workflow.getHandle(rolloutId(stage));
  const { runId } = await handle.describe();
  // Temporal suggests it at 4 MB of history; these messages are accepted and mean nothing.
  const nothing = { operationId: 'nothing', model: stage.model, by: 'ada', reason: 'x'.repeat(300_000) };
  for (let message = 0; message < 18; message += 1)
    await handle.executeUpdate<unknown, [unknown]>('withdraw', { args: [nothing] });
  const second = await request(stage, { version: 3 });
  expect(await outcomeOf(first)).toMatchObject({ outcome: 'promoted', champion: 2 });
  await until(stage, ({ operation }) => operation?.phase === 'finishing' && operation.version === 3);
  stage.registry.setAlias = setAlias;
  expect(await outcomeOf(second)).toMatchObject({ outcome: 'promoted', champion: 3 });
  expect((await handle.describe()).runId).not.toBe(runId);
  await expectAtRest(stage);
});
