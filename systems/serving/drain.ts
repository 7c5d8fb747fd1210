// Waits until no router has a request under way to a version.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';

export interface DrainingRouter {
  sync(model: string): Promise<unknown>;
  traffic(model: string, version: number): Promise<{ inFlight: number; routed: boolean }>;
}

/** `still routed`: a router would send the version a new request even now. */
export type Drained = 'drained' | 'time is up' | 'still routed';

/**
 * Answers once every router neither has a request under way to the version nor would send one, or `drainMs` have passed: a
 * router that does not answer may still have some, so it is waited for as well.
 */
export async function drain(
  routers: readonly DrainingRouter[],
  { model, version, drainMs, pollMs }: { model: string; version: number; drainMs: number; pollMs: number },
): Promise<Drained> {
  const endMs = performance.now() + drainMs;
  for (;;) {
    const seen = await Promise.all(routers.map((router) => look(router, model, version)));
    if (seen.every((router) => router === 'quiet')) return 'drained';
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) return seen.includes('routed') ? 'still routed' : 'time is up';
    await sleep(Math.min(pollMs, leftMs));
  }
}

async function look(router: DrainingRouter, model: string, version: number): Promise<'quiet' | 'busy' | 'routed'> {
  const before = await answered(router.traffic(model, version));
  if (before?.routed !== true) return before?.inFlight === 0 ? 'quiet' : 'busy';
  // It has not heard that the version is to go, or the version is wanted again.
  await answered(router.sync(model));
  const after = (await answered(router.traffic(model, version))) ?? before;
  if (after.routed) return 'routed';
  return after.inFlight === 0 ? 'quiet' : 'busy';
}

/** `undefined` where the router does not answer. */
async function answered<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof SystemError) return undefined;
    throw error;
  });
}
