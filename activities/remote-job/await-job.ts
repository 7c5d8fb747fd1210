// Waits for a job, wherever its current epoch runs, and tells what became of it. Starts nothing: a job that came to nothing is
// noted in its claim, and the step's next submission begins another epoch from the last checkpoint.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { TaskContext } from '../../dag/context.js';
import { SystemError } from '../../dag/failures.js';
import type { Json } from '../../dag/graph.js';
import type { Compute, JobRef, JobState } from '../../systems/compute/port.js';
import { endEpoch, readClaim, refOf } from './claim.js';
import { failureOfExit } from './exit-failure.js';
import type { RemoteJobPlan } from './job-file.js';
import { LogFollower } from './log-follower.js';
import type { JobResult } from './result.js';
import { readJobResult } from './result.js';
import type { JobContext } from './submit-job.js';
import { addressOf, graceOf } from './submit-job.js';

export type AwaitContext = JobContext & Pick<TaskContext, 'progress' | 'lastProgress'>;

const firstPollMs = 100;
const slowestPollMs = 1_000;
/** Longer than this between two looks, and the worker was away or its machine asleep: what was silent then need not be frozen. */
const longestLookMs = 120_000;

const json = z.custom<Json>((value) => value !== undefined);

/** What an attempt leaves to the next one, in the heartbeat's details. */
const position = z.object({
  epoch: z.number().int(),
  logOffset: z.number().int(),
  /** Since when the host is away, by the worker's clock. */
  lostSinceMs: z.number().optional(),
  /** When its log was last read, by the worker's clock. */
  lookedAtMs: z.number(),
  /** Since when it has been silent, leaving out the time in which nobody looked. */
  silentSinceMs: z.number(),
  host: z.string(),
  progress: json.optional(),
  staging: json.optional(),
});
type Position = z.infer<typeof position>;

/**
 * The result of the current epoch. Throws `InvalidInput` (exit code 65), `PermissionDenied` (77), `JobTimedOut`, `JobFailed` (any
 * other exit code, or a frozen program), `HostLost` (away for longer than its grace time, or restarted), `Cancelled` (released).
 */
export async function awaitJob(plan: RemoteJobPlan, context: AwaitContext): Promise<JobResult> {
  const address = addressOf(context);
  let pollMs = firstPollMs;
  let current = await currentEpoch(context);
  let log = new LogFollower(context.systems.compute.get(current.compute), current, 0);
  let at = beginningOf(current);
  const last = position.safeParse(context.lastProgress);
  if (last.success && last.data.epoch === current.epoch) {
    at = last.data;
    log = new LogFollower(context.systems.compute.get(current.compute), current, at.logOffset);
  }
  for (;;) {
    context.signal.throwIfAborted();
    const compute = context.systems.compute.get(current.compute);
    const state = await compute.state(current);
    at = await follow(log, state, at);
    context.progress({ ...at, phase: state?.phase ?? 'absent' } as Json);
    const verdict = judge(plan, state, at);
    if (verdict !== 'wait') {
      const newer = await currentEpoch(context);
      if (newer.epoch !== current.epoch) {
        // Only the current epoch counts, whatever became of this one.
        current = newer;
        at = beginningOf(current);
        log = new LogFollower(context.systems.compute.get(current.compute), current, 0);
        continue;
      }
      const result = await readJobResult(address, current.epoch);
      if (result !== undefined) return result;
      throw await conclude(verdict, { current, compute, log, context, state });
    }
    await sleep(pollMs, undefined, { signal: context.signal }).catch(() => context.signal.throwIfAborted());
    pollMs = Math.min(slowestPollMs, pollMs * 1.5);
  }
}

const beginningOf = ({ epoch, host }: JobRef): Position => ({
  epoch,
  host,
  logOffset: 0,
  lookedAtMs: Date.now(),
  silentSinceMs: Date.now(),
});

type Verdict = 'wait' | 'exited' | 'lost' | 'frozen';

function judge(plan: RemoteJobPlan, state: JobState | undefined, at: Position): Verdict {
  if (state?.phase === 'exited') return 'exited';
  if (state === undefined || (state.phase === 'lost' && state.gone === true)) return 'lost';
  if (state.phase === 'lost') return Date.now() - (at.lostSinceMs ?? Date.now()) > graceOf(plan) ? 'lost' : 'wait';
  return plan.stallMs !== undefined && at.lookedAtMs - at.silentSinceMs > plan.stallMs ? 'frozen' : 'wait';
}

/** Reads what the log has gained; a host that is away in between is no failure. */
async function follow(log: LogFollower, state: JobState | undefined, at: Position): Promise<Position> {
  if (state === undefined || state.phase === 'lost') return { ...at, lostSinceMs: at.lostSinceMs ?? Date.now() };
  const { lostSinceMs, ...found } = at;
  const reading = await log.read();
  if (reading === 'unread') return found;
  const now = Date.now();
  const heard = { ...found, lookedAtMs: now, silentSinceMs: now };
  if (reading === 'more')
    return {
      ...heard,
      logOffset: log.offset,
      ...(log.progress !== undefined && { progress: log.progress }),
      ...(log.staging !== undefined && { staging: log.staging }),
    };
  if (lostSinceMs !== undefined) return heard;
  const sinceMs = now - at.lookedAtMs;
  return { ...heard, silentSinceMs: at.silentSinceMs + (sinceMs > longestLookMs ? sinceMs : 0) };
}

interface Conclusion {
  readonly current: JobRef;
  readonly compute: Compute;
  readonly log: LogFollower;
  readonly context: AwaitContext;
  readonly state: JobState | undefined;
}

/** Notes in the claim that the epoch came to nothing, and answers what to throw. */
async function conclude(
  verdict: Exclude<Verdict, 'wait'>,
  { current, compute, log, context, state }: Conclusion,
): Promise<SystemError> {
  const where = `on the host ${current.host}`;
  let failure: SystemError;
  if (verdict === 'lost') {
    const reason = state?.phase === 'lost' ? state.reason : 'the host does not know it any more';
    failure = new SystemError('HostLost', `The job ${where} is given up: ${reason}`, {
      details: { host: current.host },
    });
  } else if (verdict === 'frozen') {
    const tail = await log.tail();
    const said = tail.length === 0 ? 'nothing at all' : `last '${tail.at(-1) ?? ''}'`;
    const became = await endFrozen(compute, current);
    failure = new SystemError('JobFailed', `The program ${where} stood still, ${became}; it wrote ${said}.`, {
      details: { host: current.host, log: tail },
    });
  } else {
    failure = failureOfExit(state, current.host, await log.tail());
  }
  const reason = verdict === 'lost' ? ('lost' as const) : ('failed' as const);
  await endEpoch(addressOf(context), current.epoch, { reason, sentence: failure.message });
  return failure;
}

/** One that hangs in the kernel cannot be ended; it keeps its place there, and the job goes on without it. */
async function endFrozen(compute: Compute, job: JobRef): Promise<string> {
  try {
    await compute.end(job);
    return 'so it was ended';
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Unavailable')) throw error;
    return `and could not be ended (${error.message})`;
  }
}

async function currentEpoch(context: AwaitContext): Promise<JobRef> {
  const address = addressOf(context);
  const stored = await readClaim(address);
  if (stored?.claim.released === true)
    throw new SystemError('Cancelled', `The job ${address.key} was released: nobody waits for it any more.`);
  if (stored?.claim.current == null)
    throw new SystemError('NotFound', `The job ${address.key} was never claimed: submit it first.`);
  return refOf(address, stored.claim.current);
}
