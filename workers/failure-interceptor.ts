// The one place where what an activity throws becomes Temporal's ApplicationFailure, with the type from the table of failures.

import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { CompleteAsyncError, type Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { ZodError } from 'zod';
import { SystemError, failures, type FailureType } from '../dag/failures.js';

/** Every problem with its path: `rows.train: expected number`. */
const listProblems = (error: ZodError): string[] =>
  error.issues.map((issue) => `${issue.path.length === 0 ? 'the value' : issue.path.join('.')}: ${issue.message}`);

interface Failure {
  readonly type: FailureType;
  readonly message: string;
  readonly details: object;
  readonly cause?: unknown;
}

const create = (
  { type, message, details, cause }: Failure,
  retryable: boolean = failures[type].retryable,
): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message,
    nonRetryable: !retryable,
    details: [details],
    ...(cause instanceof Error ? { cause } : {}),
  });

/** Maps anything thrown; an error that no type of the table describes keeps its message and is retried by the step's policy. */
export function toApplicationFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const failure = failureOf(error);
  // Where it was thrown, not where it was mapped.
  if (error instanceof Error && error.stack !== undefined) failure.stack = error.stack;
  return failure;
}

function failureOf(error: unknown): ApplicationFailure {
  if (error instanceof SystemError) {
    const { type, message, details, cause } = error;
    // The engine itself waits for a deploy, outside the step's attempts: a retry here would use them up.
    return create({ type, message, details, cause }, error.retryable && type !== 'TaskContractMissing');
  }
  if (error instanceof ZodError) {
    const problems = listProblems(error);
    return create({ type: 'InvalidInput', message: problems.join('; '), details: { problems } });
  }
  if (error instanceof Error)
    return create({ type: 'TaskFailed', message: error.message || error.name, details: {}, cause: error.cause });
  return create({
    type: 'TaskFailed',
    message: `something that is no Error was thrown: ${String(error)}`,
    details: {},
  });
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
