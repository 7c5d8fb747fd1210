// Waits until no router has a request under way to a version.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';

export interface DrainingRouter {
  sync(model: string): Promise<unknown>;
  traffic(model: string, version: number): Promise<{ inFlight: number; routed: boolean }>;
}

/**
 * Answers once every router neither has a request under way to the version nor would send one, or `drainMs` have passed: a
 * router that does not answer may still have some, so it is waited for as well.
 */
export async function drain(
  routers: readonly DrainingRouter[],
  { model, version, drainMs, pollMs }: { model: string; version: number; drainMs: number; pollMs: number },
): Promise<'drained' | 'time is up'> {
  const endMs = performance.now() + drainMs;
  for (;;) {
    const quiet = await Promise.all(routers.map((router) => isQuiet(router, model, version)));
    if (quiet.every(Boolean)) return 'drained';
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) return 'time is up';
    await sleep(Math.min(pollMs, leftMs));
  }
}

async function isQuiet(router: DrainingRouter, model: string, version: number): Promise<boolean> {
  try {
    const { inFlight, routed } = await router.traffic(model, version);
    if (!routed) return inFlight === 0;
    // It has not heard that the version is to go.
    await router.sync(model);
    return false;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
