// Reads Temporal's nested failures: which type of the table it was, and the one sentence that a person needs.

import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { failures, type FailureType } from '../../dag/failures.js';

export interface Cause {
  /** A type of the table of failures, or the one that a user's own ApplicationFailure has. */
  readonly type: string;
  readonly sentence: string;
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean;
  readonly details?: unknown;
}

const cause = (type: FailureType, sentence: string): Cause => ({
  type,
  sentence,
  retryable: failures[type].retryable,
});

/** The first failure below Temporal's wrappers; what lies below it again is a vendor's own error. */
export function causeOf(error: unknown): Cause {
  let failure = error;
  while ((failure instanceof ActivityFailure || failure instanceof ChildWorkflowFailure) && failure.cause !== undefined)
    failure = failure.cause;
  if (failure instanceof ApplicationFailure)
    return {
      type: failure.type ?? 'TaskFailed',
      sentence: failure.message,
      retryable: failure.nonRetryable !== true,
      ...(failure.details?.[0] === undefined ? {} : { details: failure.details[0] }),
    };
  if (failure instanceof TimeoutFailure) return timeoutCause(failure);
  if (failure instanceof CancelledFailure) return cause('Cancelled', failure.message || 'it was cancelled');
  if (failure instanceof TerminatedFailure) return cause('Cancelled', 'its workflow was terminated');
  return cause('Internal', failure instanceof Error ? failure.message : String(failure));
}

function timeoutCause(failure: TimeoutFailure): Cause {
  const last = failure.cause === undefined ? undefined : causeOf(failure.cause);
  const after = last === undefined || last.type === 'Cancelled' ? '' : `; its last attempt said: ${last.sentence}`;
  switch (failure.timeoutType) {
    case 'HEARTBEAT':
      return cause('DeadlineExceeded', `it gave no sign of life any more: its worker died or froze${after}`);
    case 'START_TO_CLOSE':
      return cause('DeadlineExceeded', `an attempt took longer than its timeout${after}`);
    case 'SCHEDULE_TO_START':
      return cause('DeadlineExceeded', 'no worker took it in time: is one running on its task queue?');
    case 'SCHEDULE_TO_CLOSE':
      return cause('DeadlineExceeded', `all attempts together took longer than its deadline${after}`);
    default:
      return cause('DeadlineExceeded', failure.message);
  }
}
