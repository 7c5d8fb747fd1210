// The one place where what an activity throws becomes Temporal's ApplicationFailure, with the type from the table of failures.

import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { CompleteAsyncError, type Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { ZodError } from 'zod';
import { SystemError, failures, type FailureType } from '../dag/failures.js';

/** Every problem with its path: `rows.train: expected number`. */
const listProblems = (error: ZodError): string[] =>
  error.issues.map((issue) => `${issue.path.length === 0 ? 'the value' : issue.path.join('.')}: ${issue.message}`);

const failureOf = (type: FailureType, message: string, rest: { cause?: unknown; details?: unknown }) =>
  ApplicationFailure.create({
    type,
    message,
    nonRetryable: !failures[type].retryable,
    ...(rest.details === undefined ? {} : { details: [rest.details] }),
    ...(rest.cause instanceof Error ? { cause: rest.cause } : {}),
  });

/** Maps anything thrown; an error that no type of the table describes keeps its message and is retried by the step's policy. */
export function toApplicationFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof SystemError)
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      // The engine itself waits for a deploy, outside the step's attempts: a retry here would use them up.
      nonRetryable: !error.retryable || error.type === 'TaskContractMissing',
      details: [error.details],
      ...(error.cause instanceof Error ? { cause: error.cause } : {}),
    });
  if (error instanceof ZodError) {
    const problems = listProblems(error);
    return failureOf('InvalidInput', problems.join('; '), { details: { problems } });
  }
  if (error instanceof Error) return failureOf('TaskFailed', error.message || error.name, { cause: error });
  return failureOf('TaskFailed', `Something that is no Error was thrown: ${String(error)}`, {});
}

/** An activity interceptor for every activity of a worker. */
export function failureInterceptor(context: Context): { inbound: ActivityInboundCallsInterceptor } {
  return {
    inbound: {
      async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>) {
        try {
          return await next(input);
        } catch (error) {
          if (error instanceof CompleteAsyncError || error instanceof CancelledFailure) throw error;
          // Whatever a cancelled call throws while it is being torn down, it was cancelled.
          if (context.cancellationSignal.aborted) throw new CancelledFailure(`cancelled: ${describe(error)}`);
          throw toApplicationFailure(error);
        }
      },
    },
  };
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
