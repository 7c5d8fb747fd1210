// Lets go of a job, whatever became of it: no epoch may begin any more, and none goes on on any host that can be reached.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';
import type { ComputeSystems, JobRef } from '../../systems/compute/port.js';
import { jobCheckpointsPrefix, jobLogKey } from '../../systems/object-store/keys.js';
import type { ClaimAddress, JobClaim } from './claim.js';
import { readClaim, refOf, writeClaim } from './claim.js';
import type { JobContext } from './submit-job.js';
import { addressOf } from './submit-job.js';

export interface ReleaseOptions {
  /** How long a host that is away is tried again: 20 seconds unless set. What stays is ended by its time limit, or by the reaper. */
  readonly patienceMs?: number;
}

export interface Released {
  /** Hosts that did not answer, or refused us: what runs there is left to its time limit and to the reaper. */
  readonly unreachable: readonly string[];
}

const defaultPatienceMs = 20_000;
const keptLogBytes = 1024 * 1024;

/** Idempotent, also before anything was submitted: a submission that comes later finds the key released. */
export async function releaseJob(
  context: Pick<JobContext, 'systems' | 'run' | 'step' | 'log'>,
  options: ReleaseOptions = {},
): Promise<Released> {
  const { dag, workflowId, runId } = context.run;
  const released = await releaseKey(addressOf(context), context.systems.compute, {
    ...options,
    run: { dag, workflowId, runId },
  });
  if (released.unreachable.length > 0)
    context.log.warn(released, 'hosts did not answer: what runs there is ended by its time limit or by the reaper');
  return released;
}

/** As `releaseJob`, for the reaper too. */
export async function releaseKey(
  address: ClaimAddress,
  computes: ComputeSystems,
  { run, patienceMs = defaultPatienceMs }: ReleaseOptions & { readonly run: JobClaim['run'] },
): Promise<Released> {
  const claim = await closeClaim(address, run);
  const { current } = claim;
  if (current === null) return { unreachable: [] };
  const refs = [current, ...claim.earlier].map((place) => refOf(address, place));
  const giveUpAtMs = Date.now() + patienceMs;
  const away = await Promise.all(
    refs.map(async (ref, index) => {
      if (!computes.names.includes(ref.compute)) return [ref.host];
      await keepLog(address, computes, ref);
      // Earlier epochs were given up with their hosts, so one try is enough for them.
      return (await removeJob(computes, ref, index === 0 ? giveUpAtMs : 0)) ? [] : [ref.host];
    }),
  );
  await dropCheckpoints(address);
  return { unreachable: away.flat() };
}

async function closeClaim(address: ClaimAddress, run: JobClaim['run']): Promise<JobClaim> {
  for (;;) {
    const stored = await readClaim(address);
    if (stored?.claim.released === true) return stored.claim;
    const before = stored?.claim ?? { schema: 1 as const, key: address.key, run, current: null, earlier: [] };
    const written = await writeClaim(address, { ...before, released: true }, stored);
    if (written !== undefined) return written.claim;
  }
}

async function removeJob(computes: ComputeSystems, ref: JobRef, giveUpAtMs: number): Promise<boolean> {
  for (;;) {
    try {
      await computes.get(ref.compute).remove(ref);
      return true;
    } catch (error) {
      const outOfReach = ['Unavailable', 'NotFound', 'PermissionDenied'];
      if (!(error instanceof SystemError && outOfReach.includes(error.type))) throw error;
      if (error.type !== 'Unavailable' || Date.now() >= giveUpAtMs) return false;
    }
    await sleep(1_000);
  }
}

/** The host's folder goes, so the end of the log moves beside the result. Its loss is no reason to keep a job. */
async function keepLog(address: ClaimAddress, computes: ComputeSystems, ref: JobRef): Promise<void> {
  try {
    const { text } = await computes.get(ref.compute).log(ref, -keptLogBytes, keptLogBytes);
    if (text === '') return;
    const key = jobLogKey(address.environment, address.key, ref.epoch);
    await address.objects.put(key, text, { contentType: 'text/plain; charset=utf-8' });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/**
 * Only an epoch of this key could go on from them, and none begins any more. What a host that is away ships even so goes when the
 * reaper finds its job.
 */
async function dropCheckpoints({ objects, environment, key }: ClaimAddress): Promise<void> {
  for await (const object of objects.list(jobCheckpointsPrefix(environment, key))) await objects.delete(object.key);
}
