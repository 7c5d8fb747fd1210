// What follows a move of the endpoint, and is done again until it is done: aliases that mirror it, versions that go away.

import type { Systems } from '../../systems/systems.js';
import type { Traffic } from '../../stats/canary-rule.js';
import { moveEndpoint } from '../../systems/endpoint/move.js';
import { endTrial } from '../../systems/endpoint/transitions.js';
import { SystemError } from '../../dag/failures.js';
import type { RetireRequest } from './protocol.js';
import { syncRouters } from './routers.js';
import { trafficOf } from './tally.js';
import type { Pulse } from './bring-up.js';

/** Points the aliases at what the endpoint serves now, with its generation: a late call never brings back an older state. */
export async function mirrorAliases(systems: Systems, request: { model: string }): Promise<{ generation: number }> {
  const { model } = request;
  const state = (await systems.endpoints.read(model))?.state;
  if (state === undefined) throw new SystemError('NotFound', `${model} has no endpoint whose aliases could be set.`);
  const { generation, change } = state;
  // Also those that are empty, so that a late call cannot set them.
  for (const alias of ['champion', 'previous', 'challenger'] as const) {
    await systems.registry.setAlias(model, alias, {
      version: state[alias],
      generation,
      by: change.by,
      reason: change.reason,
    });
  }
  return { generation };
}

/**
 * Ends a version's service once every router has moved on and its requests are over; leaves it alone where the endpoint names
 * it. Idempotent. Throws `Unavailable`, `Corrupt`.
 */
export async function retireVersion(
  systems: Systems,
  request: RetireRequest,
  pulse: Pulse,
): Promise<{ retired: boolean; movedTo?: number }> {
  const { model, version, drainMs, endedTrial } = request;
  let movedTo: number | undefined;
  let state = (await systems.endpoints.read(model))?.state;
  if (endedTrial !== undefined && state?.trial === endedTrial) {
    // A write of it came late, after the trial was given up.
    const act = {
      operationId: `${endedTrial}/late-${state.generation}`,
      by: state.change.by,
      reason: 'The trial had ended already.',
      at: new Date().toISOString(),
    };
    const moved = await moveEndpoint(systems.endpoints, model, {
      operationId: act.operationId,
      decide: (current) => endTrial(current, act, { trial: endedTrial, kind: 'expire' }),
    });
    state = moved.current ?? undefined;
    movedTo = state?.generation;
  }
  if (state?.champion === version || state?.challenger === version)
    return { retired: false, ...(movedTo !== undefined && { movedTo }) };
  await syncRouters(systems.serving, {
    model,
    generation: Math.max(request.afterGeneration, state?.generation ?? 0),
  });
  pulse.signal.throwIfAborted();
  const isWanted = async (): Promise<boolean> => {
    const now = (await systems.endpoints.read(model))?.state;
    return now?.champion === version || now?.challenger === version;
  };
  const retired = await systems.serving.retire(model, version, { drainMs, isWanted });
  return { retired, ...(movedTo !== undefined && { movedTo }) };
}

/** What the champion did before the challenger got anything; null where nobody can say. */
export async function measureBaseline(
  systems: Systems,
  request: { model: string; version: number; windowMs: number },
): Promise<Traffic | null> {
  const measured = await systems.metrics.measure(request).catch((error: unknown) => {
    if (error instanceof SystemError) return undefined;
    throw error;
  });
  return measured === undefined ? null : trafficOf(measured);
}
