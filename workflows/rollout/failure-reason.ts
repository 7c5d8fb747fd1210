// Reads Temporal's nested failures: the type, and the one sentence that a person needs.

import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';

/** The type from the table of failures, where it has one. */
export function failureType(error: unknown): string | undefined {
  let failure = error;
  while (failure instanceof ActivityFailure && failure.cause !== undefined) failure = failure.cause;
  return failure instanceof ApplicationFailure ? (failure.type ?? undefined) : undefined;
}

/** Whether trying again was given up because the time for all tries was over. */
export const isOutOfTime = (error: unknown): boolean =>
  error instanceof ActivityFailure && (error.retryState === 'TIMEOUT' || error.cause instanceof TimeoutFailure);

export function failureReason(error: unknown): string {
  let failure = error;
  while (failure instanceof ActivityFailure && failure.cause !== undefined) failure = failure.cause;
  if (failure instanceof TimeoutFailure && failure.cause !== undefined)
    return `No answer in time: ${failureReason(failure.cause)}`;
  if (failure instanceof ApplicationFailure) return failure.message;
  return failure instanceof Error ? failure.message : String(failure);
}
