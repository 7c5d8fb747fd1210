// A remote job is three activities: submit (idempotent by key), await (reattaches by key), release (whatever happened).

import { ActivityFailure, ApplicationFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { StepAnswer } from '../../activities/engine/protocol.js';
import type { FailureType } from '../../dag/failures.js';
import type { Json, Step } from '../../dag/graph.js';
import { callTask, type TaskCall } from './call-task.js';
import { causeOf } from './failure.js';

const submitTimeoutMs = 10 * 60_000;
const releaseTimeoutMs = 2 * 60_000;
const releaseDeadlineMs = 10 * 60_000;

/** These want another submission; all other passing trouble is retried within the activity that met it. */
const wantResubmission: readonly FailureType[] = ['JobFailed', 'HostLost', 'TaskFailed'];

/** `base` is the call of the step's task; its retry policy counts submissions. */
export async function runJob(base: TaskCall, step: Step): Promise<StepAnswer> {
  const startedAtMs = Date.now();
  const { maximumAttempts: _, ...backOff } = base.retry;
  let job: Json | undefined;
  let submission = 1;
  const remainingMs = (): number => Math.max(1_000, base.deadlineMs - (Date.now() - startedAtMs));
  const call = (phase: 'submit' | 'await', withinMs: number): Promise<StepAnswer> =>
    callTask({
      ...base,
      activityType: `${step.task.name}:${phase}`,
      summary: `${base.summary}: ${phase}`,
      envelope: { ...base.envelope, submission, ...(job === undefined ? {} : { job }) },
      timeoutMs: phase === 'submit' ? Math.min(submitTimeoutMs, base.timeoutMs) : base.timeoutMs,
      deadlineMs: Math.min(remainingMs(), withinMs),
      // No limit but the deadline: a worker that dies while it watches has not failed the job.
      retry: { ...backOff, nonRetryableErrorTypes: [...wantResubmission] },
    });

  // The time-out is the job's, from its submission on, however often a worker that watches it is replaced.
  const awaitEnd = async (): Promise<Json> => {
    const isLimit = base.timeoutMs < remainingMs();
    try {
      return (await call('await', base.timeoutMs)).output;
    } catch (error) {
      if (isLimit && isOutOfTime(error)) throw tookTooLong(base.timeoutMs);
      throw error;
    }
  };

  try {
    for (;;) {
      try {
        job = (await call('submit', remainingMs())).output;
        return { output: await awaitEnd(), attempt: submission };
      } catch (error) {
        const cause = causeOf(error);
        if (isCancellation(error) || !cause.retryable || submission >= step.retry.attempts) throw error;
        const delayMs = Math.min(step.retry.maxDelayMs, step.retry.firstDelayMs * 2 ** (submission - 1));
        base.note(`attempt ${submission} of ${step.retry.attempts}: ${cause.sentence}`);
        submission++;
        await sleep(delayMs, { summary: `${base.summary}: until submission ${submission}` });
      }
    }
  } finally {
    const envelope = { ...base.envelope, submission, ...(job === undefined ? {} : { job }) };
    await CancellationScope.nonCancellable(() => release({ ...base, envelope }, step));
  }
}

const isOutOfTime = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof TimeoutFailure &&
  error.cause.timeoutType === TimeoutType.SCHEDULE_TO_CLOSE;

/** Final, since a job that was released is not submitted again under its key. */
const tookTooLong = (timeoutMs: number): ApplicationFailure =>
  ApplicationFailure.nonRetryable(
    `the job took longer than its time-out of ${timeoutMs} ms, so it was ended`,
    'DeadlineExceeded' satisfies FailureType,
  );

/** Never throws: what could not be released is ended by the host's own time limit, or by the reaper. */
async function release(base: TaskCall, step: Step): Promise<void> {
  try {
    await callTask({
      ...base,
      activityType: `${step.task.name}:release`,
      summary: `${base.summary}: release`,
      timeoutMs: releaseTimeoutMs,
      deadlineMs: releaseDeadlineMs,
      retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
    });
  } catch (error) {
    log.warn('a job could not be released; its host or the reaper ends it', {
      step: step.id,
      problem: causeOf(error).sentence,
    });
  }
}
