// The training program killed and frozen in the middle, and its host gone: over SSH, on two hosts with an sshd each. Each time
// the work goes on from the last checkpoint, under another epoch, and one version comes of it.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { jobClaim, type JobClaim } from '../../activities/remote-job/claim.js';
import { readJobResult } from '../../activities/remote-job/result.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { jobsPrefix } from '../../systems/object-store/keys.js';
import { until } from '../fixtures/until.js';
import { ChaosWorld } from './chaos-world.js';
import { openSshHosts, type SshHosts } from './ssh-hosts.js';

const timeout = 600_000;
let hosts: SshHosts;
let chaos: ChaosWorld;
let epochs = 20;

/** Slow enough to be met on its way. */
const slowly = (more: object = {}) => ({ ...more, settings: { pauseMs: 300 } });

beforeAll(async () => {
  hosts = await openSshHosts();
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') }, '', hosts.compute);
}, timeout);
afterAll(async () => {
  await hosts.startAll();
  await chaos.close();
  await hosts.close();
});

/** The trainers that run now, with where. */
async function trainers(): Promise<{ pid: number; folder: string }[]> {
  const found: { pid: number; folder: string }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (!/node\0counted\.mjs\0train\.mjs/.test(command)) continue;
    const folder = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (folder.startsWith(chaos.world.folder)) found.push({ pid: Number(name), folder });
  }
  return found;
}

async function claims(): Promise<JobClaim[]> {
  const found: JobClaim[] = [];
  const { objects } = chaos.world.systems;
  for await (const { key } of objects.list(jobsPrefix(chaos.world.environment)))
    if (key.endsWith('/claim.json')) found.push((await readJson(objects, key, jobClaim))!.value);
  return found;
}

const claimOf = async (runId: string): Promise<JobClaim | undefined> =>
  (await claims()).find(({ key }) => key.startsWith(runId) && key.includes('.fine-tune.'));

/** After how many epochs the training that counts went on. */
async function resumedFrom({ key, current }: JobClaim): Promise<unknown> {
  const { environment } = chaos.world;
  const result = await readJobResult({ objects: chaos.world.systems.objects, environment, key }, current!.epoch);
  return result?.result['resumedFrom'];
}

/** Meets the training once it has written a checkpoint. */
async function meetTraining(runId: string): Promise<{ pid: number; folder: string }> {
  const { objects } = chaos.world.systems;
  await until(
    'a checkpoint is in S3',
    async () => {
      for await (const { key } of objects.list(jobsPrefix(chaos.world.environment)))
        if (key.includes(runId) && key.endsWith('/COMPLETE')) return true;
      return false;
    },
    240_000,
  );
  const [trainer] = await trainers();
  if (trainer === undefined) throw new Error('no training runs');
  return trainer;
}

const train = async (harm: (trainer: { pid: number; folder: string }) => Promise<void>, more: object = {}) => {
  let runId = '';
  const run = await chaos.conduct(
    async () => {
      const begun = await chaos.begin({ epochs: ++epochs, train: slowly(more) });
      runId = begun.runId;
      await harm(await chaos.whileOpen(begun, meetTraining(runId)));
      return chaos.endOf(begun);
    },
    { mayResume: true },
  );
  return { run, claim: (await claimOf(runId))! };
};

describe('a training', () => {
  test('that is killed goes on from its last checkpoint', { timeout }, async () => {
    const { run, claim } = await train(async ({ pid }) => void process.kill(pid, 'SIGKILL'));
    expect(run).toMatchObject({ outcome: 'promoted', violations: [] });
    expect(claim).toMatchObject({ current: { epoch: 2 }, released: true });
    expect(await resumedFrom(claim)).toBeGreaterThan(0);
  });

  test('that is frozen is ended and goes on from its last checkpoint', { timeout }, async () => {
    const { run, claim } = await train(async ({ pid }) => void process.kill(pid, 'SIGSTOP'), { stallMs: 8_000 });
    expect(run).toMatchObject({ outcome: 'promoted', violations: [] });
    expect(claim.current).toMatchObject({ epoch: 2 });
    expect(await resumedFrom(claim)).toBeGreaterThan(0);
    expect(await trainers()).toEqual([]);
  });

  test(
    'whose host goes away goes on at another one, and what the first does late does not count',
    { timeout },
    async () => {
      let lost = '';
      const { run, claim } = await train(
        async ({ folder }) => {
          lost = /gpu-\d/.exec(folder)![0];
          await hosts.hosts[Number(lost.at(-1))]!.stop();
        },
        { compute: 'gpu', hostGraceMs: 2_000 },
      );
      await hosts.hosts[Number(lost.at(-1))]!.start();
      expect(run).toMatchObject({ outcome: 'promoted' });
      expect(claim.current).toMatchObject({ epoch: 2 });
      expect(claim.current!.host).not.toBe(lost);
      expect(await resumedFrom(claim)).toBeGreaterThan(0);
      expect(claim.earlier).toMatchObject([{ host: lost, epoch: 1 }]);
    },
  );
});
