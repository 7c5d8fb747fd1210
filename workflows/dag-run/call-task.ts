// Calls one activity of a task, and waits for a deploy where no worker has the task in the pinned contract.

import { ActivityFailure, ApplicationFailure, type RetryPolicy } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities, sleep } from '@temporalio/workflow';
import type { StepAnswer, StepEnvelope } from '../../activities/engine/protocol.js';
import type { FailureType } from '../../dag/failures.js';
import { causeOf } from './failure.js';

export interface TaskCall {
  readonly activityType: string;
  readonly envelope: StepEnvelope;
  readonly summary: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly heartbeatMs: number;
  readonly retry: RetryPolicy;
  readonly taskQueue?: string;
  /** How long to wait for a worker that has the task. */
  readonly deployWaitMs: number;
  /** Says what the step waits for; `undefined`: nothing any more. */
  readonly note: (reason: string | undefined) => void;
}

const firstDeployPollMs = 1_000;
const maxDeployPollMs = 15_000;

const contractMissing = 'TaskContractMissing' satisfies FailureType;

/** Throws ActivityFailure; `TaskContractMissing` only after `deployWaitMs`. */
export async function callTask(call: TaskCall): Promise<StepAnswer> {
  const startedAtMs = Date.now();
  let missingSinceMs: number | undefined;
  let pollMs = firstDeployPollMs;
  for (;;) {
    try {
      const remainingMs = Math.max(1_000, call.deadlineMs - (Date.now() - startedAtMs));
      const answer = await schedule(call, remainingMs);
      if (missingSinceMs !== undefined) call.note(undefined);
      return answer;
    } catch (error) {
      if (wasWorkerShutdown(error) && call.retry.maximumAttempts !== 1) continue;
      if (causeOf(error).type !== contractMissing) throw error;
      missingSinceMs ??= Date.now();
      if (Date.now() + pollMs - missingSinceMs > call.deployWaitMs) throw error;
      call.note(`waits for a deploy: ${causeOf(error).sentence}`);
      await sleep(pollMs, { summary: `${call.summary}: waits for a worker that has the task` });
      pollMs = Math.min(maxDeployPollMs, pollMs * 2);
    }
  }
}

function schedule(call: TaskCall, deadlineMs: number): Promise<StepAnswer> {
  const activities = proxyActivities<Record<string, (envelope: StepEnvelope) => Promise<StepAnswer>>>({
    startToCloseTimeout: Math.min(call.timeoutMs, deadlineMs),
    scheduleToCloseTimeout: deadlineMs,
    heartbeatTimeout: call.heartbeatMs,
    retry: call.retry,
    summary: call.summary,
    // Teardowns and releases must find that the code has ended, and what it did before it knew of the cancellation. Where its
    // worker died, the heartbeat's time-out ends the waiting.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    ...(call.taskQueue === undefined ? {} : { taskQueue: call.taskQueue }),
  });
  const activity = activities[call.activityType];
  if (activity === undefined) throw ApplicationFailure.nonRetryable(`no activity ${call.activityType}`, 'Internal');
  return activity(call.envelope);
}

/** A worker that goes away in order hands its work back; that is nobody's failure and uses up no attempt. */
function wasWorkerShutdown(error: unknown): boolean {
  const failure = error instanceof ActivityFailure ? error.cause : undefined;
  return failure instanceof ApplicationFailure && failure.type === 'WorkerShutdown';
}
