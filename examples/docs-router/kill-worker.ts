// The middle of act 1: the worker is killed while its training job runs, and a new one takes over the same job.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { keyOfHostKey, readClaim, type JobClaim } from '../../activities/remote-job/claim.js';
import { jobClaimKey } from '../../systems/object-store/keys.js';
import { localFolder } from '../../deploy/local/dev-file.js';
import { root, type World } from './world.js';

const pidFile = z.object({ pid: z.number() });
const jobFile = z.object({ key: z.string(), epoch: z.number() });

export interface TrainingJob {
  readonly key: string;
  readonly epoch: number;
  /** Of the process group on the host. */
  readonly pid: number;
  readonly startedAt: string;
  readonly claim: JobClaim;
}

/** The batch job that runs now, as its host and its claim in S3 tell of it. */
async function runningJob({ systems }: World): Promise<TrainingJob | undefined> {
  const compute = systems.compute.get('local');
  for await (const { key, epoch, kind, state } of compute.list()) {
    const own = keyOfHostKey(systems.environment, key);
    if (kind !== 'batch' || state.phase !== 'running' || own === undefined) continue;
    const [stored, pid] = await Promise.all([
      readClaim({ objects: systems.objects, environment: systems.environment, key: own }),
      pidOf(key, epoch),
    ]);
    if (stored !== undefined && pid !== undefined)
      return { key: own, epoch, pid, startedAt: state.startedAt, claim: stored.claim };
  }
  return undefined;
}

/** From the files that the supervisor keeps. */
async function pidOf(key: string, epoch: number): Promise<number | undefined> {
  const jobs = join(localFolder(root), 'jobs', 'local', 'jobs');
  for (const folder of await readdir(jobs)) {
    const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(jobs, folder, name), 'utf8'));
    try {
      const job = jobFile.parse(await read('job.json'));
      if (job.key === key && job.epoch === epoch) return pidFile.parse(await read('pid.json')).pid;
    } catch {
      // Another job's folder that is just being made or removed.
    }
  }
  return undefined;
}

/** How long the job has no worker. */
const withoutWorkerMs = 3_000;

/** Throws where the job that goes on is not the one that was there before. */
export async function killAndReplaceWorker(world: World): Promise<TrainingJob> {
  const { screen, local, signal } = world;
  const { bold, yellow } = screen.style;
  const before = await runningJob(world);
  if (before === undefined) throw new Error('no training job runs, so there is nothing to kill the worker in');
  const victim = await local.killWorker();
  screen.line(
    `${yellow('kill -9')} of the worker, process ${victim ?? 'unknown'}: nobody watches the training job now`,
  );
  await sleep(withoutWorkerMs, undefined, { signal });
  const alone = await runningJob(world);
  const successor = await local.restartWorker();
  screen.line(`a new worker, process ${successor}, takes over`);
  const after = await runningJob(world);
  const when = ['before', 'without a worker', 'with the new worker'];
  const rows = [before, alone, after].map((job, index) => [
    when[index] ?? '',
    ...(job === undefined
      ? ['gone']
      : [job.pid, job.epoch, job.claim.current?.submission ?? '', job.startedAt.slice(11, 19)].map(String)),
  ]);
  screen.table(['the training job', 'process', 'epoch', 'submission', 'started (UTC)'], rows);
  for (const job of [alone, after])
    if (
      job?.pid !== before.pid ||
      job.epoch !== before.epoch ||
      job.key !== before.key ||
      job.startedAt !== before.startedAt
    )
      throw new Error(
        'the training job did not go on as the same process: make its training longer, or see the worker’s log',
      );
  screen.more([
    `${bold('The same job goes on')}, as its claim says: s3://${world.local.bucket}/${jobClaimKey(world.local.environment, before.key)}`,
  ]);
  return before;
}
