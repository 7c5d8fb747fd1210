// How a run that did not complete looks to a program: a SystemError with a type of the table of failures.

import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
} from '@temporalio/client';
import { SystemError, isFailureType } from '../dag/failures.js';

/** Passes on what is no failed run. */
export function runFailure(workflowId: string, error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const type = cause.type != null && isFailureType(cause.type) ? cause.type : 'TaskFailed';
    const details = cause.details?.[0];
    return new SystemError(type, `run ${workflowId}: ${cause.message}`, {
      cause: error,
      retryable: false,
      ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
    });
  }
  const how =
    cause instanceof CancelledFailure
      ? 'was cancelled'
      : cause instanceof TerminatedFailure
        ? 'was terminated, so nothing of it was cleaned up'
        : cause instanceof TimeoutFailure
          ? 'ran into a time-out of its own'
          : `failed: ${error.message}`;
  return new SystemError('Cancelled', `run ${workflowId} ${how}`, { cause: error });
}
