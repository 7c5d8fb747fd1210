// Submits a job once, whatever happens in between: the claim names epoch and host before the host is told, so a second
// submission finds the first, on the host where it must be.

import type { TaskContext } from '../../dag/context.js';
import { SystemError } from '../../dag/failures.js';
import type { Compute, JobRef } from '../../systems/compute/port.js';
import type { ClaimAddress, CurrentEpoch, StoredClaim } from './claim.js';
import { noteSubmitted, readClaim, refOf, writeClaim } from './claim.js';
import type { RemoteJobPlan } from './job-file.js';
import { buildSubmission, settingsDigestOf } from './job-file.js';
import { readJobResult } from './result.js';

export type JobContext = Pick<TaskContext, 'systems' | 'log' | 'run' | 'step' | 'signal'>;

const defaultHostGraceMs = 10 * 60_000;

export const addressOf = ({ systems, run, step }: Pick<JobContext, 'systems' | 'run' | 'step'>): ClaimAddress => ({
  objects: systems.objects,
  environment: run.environment,
  key: step.key,
});

/**
 * Joins the job of the step's key, or starts it. A job that came to nothing is begun anew, from its last checkpoint and under
 * the next epoch, by a submission with a higher `step.attempt` than the one that began it; so the step's retry policy bounds it.
 * Throws `NoCapacity`, `Unavailable`, `PermissionDenied`, `InvalidInput`, and `Cancelled` once the job was released.
 */
export async function submitJob(plan: RemoteJobPlan, context: JobContext): Promise<JobRef> {
  const address = addressOf(context);
  const compute = context.systems.compute.get(plan.compute);
  // Wrong settings are told before anything is claimed.
  await buildSubmission(plan, address, 1);
  for (;;) {
    context.signal.throwIfAborted();
    const stored = await readClaim(address);
    if (stored?.claim.released === true)
      throw new SystemError('Cancelled', `The job ${address.key} was released already: it is not started any more.`);
    const current = stored?.claim.current ?? undefined;
    const claimed =
      stored === undefined || current === undefined
        ? await beginEpoch({ plan, context, compute, stored, avoid: [] })
        : (await wantsNewEpoch(current, compute, context))
          ? await beginEpoch({ plan, context, compute, stored, avoid: hostsGivenUp(stored, current) })
          : current;
    if (claimed === undefined) continue;
    if (claimed.submitted) return refOf(address, claimed);
    const submission = await buildSubmission(plan, address, claimed.epoch);
    try {
      await compute.submit(submission, { host: claimed.host });
      await noteSubmitted(address, claimed.epoch);
      return refOf(address, claimed);
    } catch (error) {
      await moveFrom(claimed, error, { plan, context, compute });
    }
  }
}

/** An epoch that came to nothing is followed by another, if somebody asks for it and its host has not come back with it. */
async function wantsNewEpoch(current: CurrentEpoch, compute: Compute, context: JobContext): Promise<boolean> {
  if (current.ended === undefined || context.step.attempt <= current.submission) return false;
  if (current.ended.reason !== 'lost') return true;
  const address = addressOf(context);
  if ((await readJobResult(address, current.epoch)) !== undefined) return false;
  return (await compute.state(refOf(address, current)))?.phase !== 'running';
}

const hostsGivenUp = ({ claim }: StoredClaim, current: CurrentEpoch): readonly string[] => [
  ...claim.earlier.filter(({ compute }) => compute === current.compute).map(({ host }) => host),
  current.host,
];

interface Begin {
  readonly plan: RemoteJobPlan;
  readonly context: JobContext;
  readonly compute: Compute;
  readonly stored: StoredClaim | undefined;
  readonly avoid: readonly string[];
}

/** Claims the next epoch on a host that has room; `undefined` where another submission or a release was quicker. */
async function beginEpoch({ plan, context, compute, stored, avoid }: Begin): Promise<CurrentEpoch | undefined> {
  if (stored?.claim.released === true) return undefined;
  const address = addressOf(context);
  const previous = stored?.claim.current ?? undefined;
  const host = await pickHost(compute, plan, avoid);
  const current: CurrentEpoch = {
    compute: compute.name,
    host,
    epoch: (previous?.epoch ?? 0) + 1,
    submission: context.step.attempt,
    settingsDigest: settingsDigestOf(plan),
    claimedAt: new Date().toISOString(),
    submitted: false,
  };
  const { dag, workflowId, runId } = context.run;
  const place = previous && { compute: previous.compute, host: previous.host, epoch: previous.epoch };
  const claim = {
    schema: 1 as const,
    key: address.key,
    run: { dag, workflowId, runId },
    current,
    earlier: [...(stored?.claim.earlier ?? []), ...(place === undefined ? [] : [place])],
    released: false,
  };
  const written = await writeClaim(address, claim, stored);
  if (written !== undefined && previous !== undefined)
    context.log.warn(
      { epoch: current.epoch, host, previous, key: address.key },
      `the job goes on under epoch ${current.epoch} on ${host}`,
    );
  return written === undefined ? undefined : current;
}

/** Rather another host than one that was given up, but rather that one than none. */
async function pickHost(compute: Compute, plan: RemoteJobPlan, avoid: readonly string[]): Promise<string> {
  try {
    return await compute.pick(plan.wants, { avoid });
  } catch (error) {
    if (avoid.length === 0 || !(error instanceof SystemError && error.type === 'NoCapacity')) throw error;
    return await compute.pick(plan.wants);
  }
}

/** What is to be done when the claimed host did not take the job: returns where another try may help, throws otherwise. */
async function moveFrom(
  claimed: CurrentEpoch,
  error: unknown,
  { plan, context, compute }: Pick<Begin, 'plan' | 'context' | 'compute'>,
): Promise<void> {
  if (!(error instanceof SystemError)) throw error;
  const stored = await readClaim(addressOf(context));
  // Somebody else has moved it on or released it meanwhile: follow.
  if (stored?.claim.current?.epoch !== claimed.epoch || stored.claim.released) return;
  const away = error.type === 'Unavailable' && Date.now() - Date.parse(claimed.claimedAt) > graceOf(plan);
  const full = error.type === 'NoCapacity' && error.retryable;
  if (!away && !full) throw error;
  // Nothing was started on a host without room; one that is away may have started it, so its epoch no longer counts.
  const host = await compute.pick(plan.wants, { avoid: [claimed.host] }).catch((none: unknown) => {
    throw none instanceof SystemError && none.type === 'NoCapacity' ? error : none;
  });
  context.log.warn({ from: claimed.host, to: host }, `the job cannot start on ${claimed.host}: ${error.message}`);
  await beginEpoch({ plan, context, compute, stored, avoid: [claimed.host] });
}

export const graceOf = (plan: RemoteJobPlan): number => plan.hostGraceMs ?? defaultHostGraceMs;
