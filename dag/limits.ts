// How long a step may take and how often it is tried: what an author writes, the defaults, and what the graph holds.

import type { Duration } from './durations.js';
import { durationMs } from './durations.js';
import { SystemError } from './failures.js';
import type { RetryPolicy, StepKind } from './graph.js';

export interface RetryOptions {
  /** Attempts in all, the first one included; 5 unless set. */
  readonly attempts?: number;
  /** Before the second attempt; doubles from then on. One second unless set. */
  readonly firstDelay?: Duration;
  /** One minute unless set. */
  readonly maxDelay?: Duration;
}

export interface LimitOptions {
  readonly retry?: RetryOptions;
  /**
   * How long one attempt may take: an hour for an activity, a week for a job or a workflow, unless set. A job's runs from its
   * submission, and a job that takes longer is ended and fails its step, whatever `retry` says.
   */
  readonly timeout?: Duration;
  /** How long all attempts together may take: a day for an activity, a week for a job or a workflow, unless set. */
  readonly deadline?: Duration;
  /** Longest silence of an attempt's worker before it counts as dead; 20 seconds unless set. */
  readonly heartbeat?: Duration;
}

export interface Limits {
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly heartbeatMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const defaults = {
  activity: { timeoutMs: hourMs, deadlineMs: dayMs },
  job: { timeoutMs: 7 * dayMs, deadlineMs: 7 * dayMs },
  workflow: { timeoutMs: 7 * dayMs, deadlineMs: 7 * dayMs },
} as const satisfies Record<StepKind, { timeoutMs: number; deadlineMs: number }>;

/** Fills in the defaults of a kind. Throws `InvalidInput`; `what` leads the message. */
export function limitsOf(kind: StepKind, options: LimitOptions, what: string): Limits {
  const base = defaults[kind];
  return applyLimits(
    {
      retry: { attempts: 5, firstDelayMs: 1_000, maxDelayMs: 60_000 },
      heartbeatMs: 20_000,
      // What is set alone pulls the other along, so that a long time-out needs no deadline beside it.
      timeoutMs: Math.min(base.timeoutMs, optionalMs(options.deadline, `${what}: deadline`) ?? base.timeoutMs),
      deadlineMs: Math.max(base.deadlineMs, optionalMs(options.timeout, `${what}: timeout`) ?? 0),
    },
    options,
    what,
  );
}

/** Lays options over limits that are complete. Throws `InvalidInput`; `what` leads the message. */
export function applyLimits(limits: Limits, options: LimitOptions, what: string): Limits {
  const attempts = options.retry?.attempts ?? limits.retry.attempts;
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new SystemError(
      'InvalidInput',
      `${what}: retry.attempts is ${attempts}; it counts the first attempt too, so 1 is the least`,
    );
  }
  const firstDelayMs = optionalMs(options.retry?.firstDelay, `${what}: retry.firstDelay`) ?? limits.retry.firstDelayMs;
  const maxDelayMs = optionalMs(options.retry?.maxDelay, `${what}: retry.maxDelay`) ?? limits.retry.maxDelayMs;
  const timeout = optionalMs(options.timeout, `${what}: timeout`);
  const deadline = optionalMs(options.deadline, `${what}: deadline`);
  if (timeout !== undefined && deadline !== undefined && timeout > deadline) {
    throw new SystemError(
      'InvalidInput',
      `${what}: the time-out of one attempt (${timeout} ms) is longer than the deadline of all (${deadline} ms)`,
    );
  }
  return {
    retry: { attempts, firstDelayMs, maxDelayMs: Math.max(maxDelayMs, firstDelayMs) },
    timeoutMs: timeout ?? Math.min(limits.timeoutMs, deadline ?? limits.timeoutMs),
    deadlineMs: deadline ?? Math.max(limits.deadlineMs, timeout ?? 0),
    heartbeatMs: optionalMs(options.heartbeat, `${what}: heartbeat`) ?? limits.heartbeatMs,
  };
}

const optionalMs = (duration: Duration | undefined, what: string): number | undefined =>
  duration === undefined ? undefined : durationMs(duration, what);
