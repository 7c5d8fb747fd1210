// The way back before a commit: the challenger off the endpoint first, and only then its service. It cannot be stopped, and
// tries until the endpoint has answered; meanwhile the routers' lease runs out by itself.

import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import type { Entity } from './entity.js';
import { insist } from './insist.js';
import type { Operation, Stop } from './operation.js';

export async function rollBackDeploy(
  entity: Entity,
  operation: Operation,
  why: { readonly stop: Stop; readonly expired: boolean },
): Promise<RolloutOutcome> {
  const { model, settings } = operation.request;
  const version = operation.version ?? 0;
  const { stop } = why;
  operation.phase = 'aborting';
  entity.note(operation, `rolling back: ${stop.reason}`);
  const takeOff = {
    ...operation.nextWrite(stop),
    model,
    trial: operation.id,
    kind: why.expired ? ('expire' as const) : ('abort' as const),
    // A write that may still be on its way, a rollback that has to find its own work again, a version that is revoked before
    // its trial began.
    fence: operation.uncertain || stop.rollbackId !== undefined || stop.revokes === true,
    revokes: stop.revokes === true ? version : null,
    leaseMs: settings.leaseMs,
  };
  const { was, state } = await insist(
    takeOff.kind,
    (effects) => effects.takeOffChallenger(takeOff),
    (trouble) =>
      entity.note(operation, `rolling back: ${stop.reason} The endpoint cannot be written (tries on): ${trouble}`),
  );
  if (state !== null) entity.chores.follow(state.generation);
  if (was === 'committed') {
    const before = state?.previous ?? null;
    if (state !== null && before !== null)
      entity.chores.retire({ version: before, drainMs: settings.drainMs, afterGeneration: state.generation });
    return operation.outcome('promoted', `Version ${version} was promoted before it could be stopped.`, state);
  }
  if (operation.launched || was === 'on-trial')
    entity.chores.retire({
      version,
      drainMs: settings.drainMs,
      afterGeneration: state?.generation ?? 0,
      endedTrial: operation.id,
    });
  if (was === 'unreadable') {
    operation.endpointLost = true;
    const mend = `The endpoint object is lost or cannot be read: run pawl reconcile ${model}.`;
    return operation.outcome('rolled-back', `${stop.reason} ${mend}`, null);
  }
  const stays = state?.champion ?? null;
  const remains = stays === null ? 'The endpoint has no champion.' : `Version ${stays} stays the champion.`;
  return operation.outcome('rolled-back', `${stop.reason} ${remains}`, state);
}
