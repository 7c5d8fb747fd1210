// The rollout's activities with their time-outs and retries. Passing trouble is retried until the operation's deadline, which
// is a timer of the workflow; the commit of a first version or of a rollback is retried without end. A defect (`TaskFailed`) is
// not retried, so that it rolls back at once. The worker gives signs of life for all of them, so that one that died is replaced
// in seconds.

import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { RequestActivities, RolloutActivities } from '../../activities/rollout/protocol.js';

const retry = {
  initialInterval: '250 milliseconds',
  maximumInterval: '5 seconds',
  nonRetryableErrorTypes: ['TaskFailed'],
};

const heartbeatTimeout = '10 seconds';

/** A dead worker has to be replaced well within the lease. */
const withinLease = (leaseMs: number): number => Math.min(10_000, Math.max(1_000, leaseMs / 4));

/** Short calls: one look at a system or one write. A stop waits for their end: what they did has to be taken back. */
export const effects = (summary: string) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout,
    retry,
    summary,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });

/**
 * A write that renews the lease first has to come again while the lease still holds. Nobody watches the challenger meanwhile,
 * so it is given up once a whole lease has passed.
 */
export const underLease = (summary: string, leaseMs: number) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: leaseMs,
    heartbeatTimeout: withinLease(leaseMs),
    retry: { ...retry, maximumInterval: Math.min(5_000, Math.max(250, leaseMs / 4)) },
    summary,
  });

/** A call that every router has to answer before the time is over: then the challenger is taken off. */
export const timely = (summary: string, withinMs: number) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: withinMs,
    heartbeatTimeout: withinLease(withinMs),
    retry: { ...retry, maximumInterval: '1 second' },
    summary,
  });

/** Calls that wait for something outside. */
export const patient = (summary: string, timeoutMs: number) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: timeoutMs,
    heartbeatTimeout,
    retry,
    summary,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });

/** The long look, which renews the lease. */
export const observer = (summary: string, timing: { leaseMs: number; deadlineInMs: number }) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: timing.deadlineInMs + 3_600_000,
    heartbeatTimeout: withinLease(timing.leaseMs),
    retry: { ...retry, initialInterval: '100 milliseconds', maximumInterval: '1 second' },
    summary,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });

/** After a commit: nobody waits, and nothing may be given up. A retirement has to be over before its version is launched again. */
export const forward = (summary: string, timeoutMs = 120_000) =>
  proxyActivities<RolloutActivities>({
    startToCloseTimeout: timeoutMs,
    heartbeatTimeout,
    retry: { initialInterval: '500 milliseconds', maximumInterval: '30 seconds' },
    summary,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });

/** What the requester's workflow asks of Temporal and of the endpoint. */
export const requests = (summary: string) =>
  proxyActivities<RequestActivities>({
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout,
    retry: {
      initialInterval: '250 milliseconds',
      maximumInterval: '30 seconds',
      nonRetryableErrorTypes: ['TaskFailed'],
    },
    summary,
  });
