// Temporal restarted and away while a canary is under way; and the run that asked for it terminated.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../../deploy/embedded/ports.js';
import { startTemporalServer, type TemporalServer } from '../../deploy/embedded/temporal-server.js';
import { until } from '../fixtures/until.js';
import { ChaosWorld, steady } from './chaos-world.js';

const timeout = 600_000;
let folder: string;
let port: number;
let temporal: TemporalServer;
let chaos: ChaosWorld;
let epochs = 4;

const start = async (): Promise<TemporalServer> =>
  startTemporalServer({ port, dataFile: join(folder, 'temporal.db'), logFile: join(folder, 'temporal.log') });
const championNow = async (): Promise<number> => (await chaos.world.endpoint())?.champion ?? 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-temporal-'));
  port = await freePort();
  temporal = await start();
  chaos = await ChaosWorld.open({ temporal, s3: inject('s3') });
  expect(await chaos.lifecycle({ epochs })).toMatchObject({ outcome: 'promoted', version: 1, violations: [] });
}, timeout);
afterAll(async () => {
  await chaos.close();
  await temporal.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('Temporal', () => {
  test('that is restarted within the lease costs nothing: the canary is promoted', { timeout }, async () => {
    const before = temporal.pid;
    const champion = await championNow();
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout: { leaseMs: 240_000 } }, async () => {
      await temporal.stop();
      temporal = await start();
    });
    expect(temporal.pid).not.toBe(before);
    expect(run).toMatchObject({ outcome: 'promoted', version: champion + 1, violations: [] });
  });

  test('that is away when a verdict is due: users are back with the champion before it is', { timeout }, async () => {
    const champion = await championNow();
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout: { leaseMs: 4_000, pauseMs: 8_000 } }, async () => {
      await temporal.stop();
      // The worker watches on, until it has a verdict that it can tell nobody: then nobody renews the lease.
      await chaos.onlyChampionAnswers(champion, 120_000);
      temporal = await start();
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
    expect(run.reason).toMatch(/lease ran out/);
    expect(await chaos.lastTrial()).toEqual(['trial', 'weight', 'expire']);
  });

  test('that is away need not be waited for: an engineer takes the challenger off', { timeout }, async () => {
    const champion = await championNow();
    const rollout = { leaseMs: 300_000, pauseMs: 120_000 };
    const run = await chaos.harmTrial({ epochs: ++epochs, rollout }, async () => {
      await temporal.stop();
      const typed = await chaos.pawl('traffic', chaos.world.model, '--champion-only', '--reason', 'at night');
      expect(typed.answer).toContain('sends all to version');
      await chaos.onlyChampionAnswers(champion, 10_000);
      temporal = await start();
    });
    expect(run).toMatchObject({ outcome: 'rolled-back', violations: [] });
    expect(run.reason).toMatch(/Somebody else moved the endpoint/);
    expect(await chaos.lastTrial()).toEqual(['trial', 'weight', 'champion-only']);
  });
});

test('a run that is terminated does not take its rollout down with it', { timeout }, async () => {
  const champion = await championNow();
  const run = await chaos.conduct(async () => {
    const begun = await chaos.begin({ epochs: ++epochs, rollout: steady });
    await chaos.onTrial();
    await chaos.world.temporal.workflow.getHandle(begun.workflowId).terminate('an operator');
    await until('the rollout commits', async () => (await championNow()) !== champion, 120_000);
    return { outcome: 'promoted', output: { version: await championNow() } };
  });
  expect(run).toMatchObject({
    version: Math.max(...(await chaos.versions())),
    championBefore: champion,
    violations: [],
  });
});
