// The lease of a challenger's traffic, as one router keeps it: a pure state machine on the router's own monotonic clock.
// A challenger gets requests only while somebody who watches it says so, again and again.

import type { EndpointState } from '../endpoint/state.js';
import type { LeaseAnswer } from './port.js';

/**
 * - `none`: there is no trial
 * - `awaited`: this process saw the trial begin, and nobody has taken the lease up; from `untilMs` on it is too late
 * - `held`: the challenger may have its share until `untilMs`
 * - `expired`: over for this trial, whatever comes
 */
export type Lease =
  | { readonly phase: 'none' }
  | { readonly phase: 'awaited'; readonly trial: string; readonly untilMs: number }
  | { readonly phase: 'held'; readonly trial: string; readonly untilMs: number }
  | { readonly phase: 'expired'; readonly trial: string };

export interface LeaseRequest {
  readonly generation: number;
  readonly trial: string;
  readonly leaseMs: number;
}

export const noLease: Lease = { phase: 'none' };

/**
 * The lease of a process that finds an endpoint as it stands: it cannot know how long nobody has watched a trial under way.
 * Where the challenger was only just named nobody can have sent it a request yet, so that start counts as seen.
 */
export function leaseOnStart(found: EndpointState, nowMs: number): Lease {
  if (found.trial === null) return noLease;
  if (found.change.kind === 'trial' && found.weights.challenger === 0) return leaseOnMove(noLease, found, nowMs);
  return { phase: 'expired', trial: found.trial };
}

/** The lease after the router has come to `next`; within one trial it carries on with the time it had left. */
export function leaseOnMove(lease: Lease, next: EndpointState, nowMs: number): Lease {
  if (next.trial === null) return noLease;
  const kept =
    lease.phase !== 'none' && lease.trial === next.trial
      ? settle(lease, nowMs)
      : ({ phase: 'awaited', trial: next.trial, untilMs: Infinity } as const);
  // While the challenger launches, at weight 0, nobody has to watch it; the wait for the lease starts with its first share.
  return kept.phase === 'awaited' && kept.untilMs === Infinity && next.weights.challenger > 0
    ? { ...kept, untilMs: nowMs + next.leaseMs }
    : kept;
}

/** Takes the lease up or renews it, for the generation that the router follows. Never longer than the endpoint allows. */
export function renewLease(
  lease: Lease,
  request: LeaseRequest,
  at: { readonly state: EndpointState; readonly nowMs: number },
): { readonly lease: Lease; readonly answer: LeaseAnswer } {
  const current = settle(lease, at.nowMs);
  if (request.generation !== at.state.generation)
    return { lease: current, answer: { lease: 'other-generation', generation: at.state.generation } };
  if (current.phase === 'none' || current.phase === 'expired' || current.trial !== request.trial)
    return { lease: current, answer: { lease: 'expired' } };
  const remainingMs = Math.min(request.leaseMs, at.state.leaseMs);
  return {
    lease: { phase: 'held', trial: current.trial, untilMs: at.nowMs + remainingMs },
    answer: { lease: 'held', remainingMs },
  };
}

export const isHeld = (lease: Lease, nowMs: number): boolean => lease.phase === 'held' && nowMs < lease.untilMs;

/** Turns a lease whose time is over into an expired one. */
export const settle = (lease: Lease, nowMs: number): Lease =>
  (lease.phase === 'held' || lease.phase === 'awaited') && nowMs >= lease.untilMs
    ? { phase: 'expired', trial: lease.trial }
    : lease;
