// Rollouts that meet each other, a rollback that comes while the challenger is launching, a worker that wakes after its lease,
// a worker that is replaced within a canary, and answers that take longer than a version has left.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { until } from '../fixtures/until.js';
import { ChaosWorld, slowAnswers, slowServer } from './chaos-world.js';

const timeout = 600_000;
let chaos: ChaosWorld;
let epochs = 4;

beforeAll(async () => {
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') });
  expect(await chaos.lifecycle({ epochs })).toMatchObject({ outcome: 'promoted', version: 1, violations: [] });
  expect(await chaos.lifecycle({ epochs: ++epochs })).toMatchObject({
    outcome: 'promoted',
    version: 2,
    violations: [],
  });
}, timeout);
afterAll(() => chaos.close());

describe('two rollouts of one endpoint at once', () => {
  test('the second is refused, and the first is as good as alone', { timeout }, async () => {
    const meant = [chaos.world.model, '--version', '3', '--reason', 'another one comes'];
    const run = await chaos.harmTrial({ epochs: ++epochs }, async (first) => {
      // However long the second takes to get there, the first is still on its way.
      expect(await chaos.pawl('pause', ...meant)).toMatchObject({
        code: 0,
        answer: expect.stringContaining('is paused'),
      });
      const second = await chaos.begin({ epochs: ++epochs });
      await expect(chaos.endOf(second)).rejects.toThrow(/is on its way/);
      expect(second.workflowId).not.toBe(first.workflowId);
      expect(await chaos.pawl('resume', ...meant)).toMatchObject({ code: 0 });
    });
    expect(run).toMatchObject({ outcome: 'promoted', version: 3, violations: [] });
  });
});

describe('a rollback', () => {
  test('while the challenger is launching takes it down, and the champion stays', { timeout }, async () => {
    const { world } = chaos;
    const champion = (await world.endpoint())!.champion!;
    const run = await chaos.conduct(async () => {
      const begun = await chaos.begin({ epochs: ++epochs, server: slowServer(30_000) });
      await until('it launches', async () => (await world.systems.serving.launched(world.model)).length === 2, 240_000);
      const ended = await world.run({ model: world.model, reason: 'a wrong recipe' }, 'rollback');
      expect(ended).toMatchObject({ outcome: 'rolled-back', output: { champion } });
      return chaos.endOf(begun);
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', championBefore: champion, violations: [] });
    expect(run.reason).toContain('a wrong recipe');
  });
});

describe('the worker', () => {
  test('that is killed within a canary is replaced within its lease: the canary goes on', { timeout }, async () => {
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout: { leaseMs: 120_000 } }, () => chaos.worker.kill());
    expect(run).toMatchObject({ outcome: 'promoted', deaths: 1, violations: [] });
  });

  test('that is deployed anew within a canary hands its work over', { timeout }, async () => {
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout: { leaseMs: 120_000 } }, () =>
      chaos.worker.replace(),
    );
    expect(run).toMatchObject({ outcome: 'promoted', deaths: 0, violations: [] });
  });

  test('that wakes after its lease changes nothing any more', { timeout }, async () => {
    const champion = (await chaos.world.endpoint())!.champion!;
    const rollout = { leaseMs: 3_000, pauseMs: 60_000 };
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout }, async () => {
      const { generation } = (await chaos.world.systems.endpoints.read(chaos.world.model))!.state;
      chaos.worker.signal('SIGSTOP');
      await chaos.onlyChampionAnswers(champion, 60_000);
      expect((await chaos.world.systems.endpoints.read(chaos.world.model))!.state.generation).toBe(generation);
      chaos.worker.signal('SIGCONT');
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', deaths: 0, violations: [] });
    expect(run.reason).toMatch(/lease ran out/);
    expect(await chaos.lastTrial()).toEqual(['trial', 'weight', 'expire']);
  });
});

describe('a canary without traffic', () => {
  test('is never promoted on silence: it ends at its deadline', { timeout }, async () => {
    const rollout = { weights: [50], pauseMs: 500, deadlineMs: 15_000 };
    const run = await chaos.conduct(async () => chaos.endOf(await chaos.begin({ epochs: ++epochs, rollout })), {
      withoutTraffic: true,
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
    expect(run.reason).toMatch(/deadline/i);
  });
});

describe('a user whose answer takes long', () => {
  test('gets all of it, also when the version that gives it retires meanwhile', { timeout }, async () => {
    const options = { server: slowAnswers(1_000), users: 8 };
    const first = await chaos.lifecycle({ ...options, epochs: ++epochs });
    expect(first).toMatchObject({ outcome: 'promoted', violations: [] });
    const run = await chaos.harmTrial({ ...options, epochs: ++epochs }, async () => {
      const [router] = await chaos.world.systems.serving.routers();
      const underWay = async (version: number): Promise<boolean> =>
        (await router!.inFlight(chaos.world.model, version)) > 0;
      await until('the champion answers all the while', () => underWay(first.version!));
    });
    expect(run).toMatchObject({ outcome: 'promoted', championBefore: first.version, violations: [] });
  });
});
