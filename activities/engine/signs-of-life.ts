// A worker's signs of life for every activity that is watched by heartbeats, whether or not its code reports anything: silence
// then means that the process died or froze. Code that waits for ever is ended by its time-out.

import type { Context } from '@temporalio/activity';

// A cancellation comes back with a heartbeat, so they are not rare.
const heartbeatsPerTimeout = 4;
const maxIntervalMs = 5_000;

/** What each activity reported last: every heartbeat carries it, since the newest one is all that a later attempt is given. */
const newest = new WeakMap<Context, unknown>();

/** A sign of life at once, with what a later attempt needs to go on (a few KB at most) in place of what was told before. */
export function report(activity: Context, details?: unknown): void {
  if (details !== undefined) newest.set(activity, details);
  activity.heartbeat(newest.get(activity));
}

/** Heartbeats until the answer is called; nothing where the activity has no heartbeat time-out. */
export function keepAlive(activity: Context): () => void {
  const { heartbeatTimeoutMs } = activity.info;
  if (heartbeatTimeoutMs === undefined || heartbeatTimeoutMs === 0) return () => undefined;
  newest.set(activity, activity.info.heartbeatDetails);
  const timer = setInterval(() => report(activity), Math.min(maxIntervalMs, heartbeatTimeoutMs / heartbeatsPerTimeout));
  return () => clearInterval(timer);
}
