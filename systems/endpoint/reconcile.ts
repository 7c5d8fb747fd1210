// Mends an endpoint: a lost or corrupt object is written anew from its history, and the registry's aliases are made to
// agree with it again. What `pawl reconcile` runs.

import { SystemError } from '../../dag/failures.js';
import type { Registry } from '../registry/port.js';
import { findDisagreements, mirrorAliases } from './mirror-aliases.js';
import type { AliasDisagreement } from './mirror-aliases.js';
import type { ObjectStoreEndpoints } from './object-store.js';
import { pardon } from './revocations.js';
import type { EndpointState } from './state.js';
import type { EndpointAct } from './transitions.js';

export interface Reconciliation {
  readonly model: string;
  readonly endpoint: 'sound' | 'rewritten' | 'would be rewritten';
  /** Why it was (or would be) rewritten; one sentence. */
  readonly finding?: string;
  readonly state: EndpointState;
  /** As they were found. */
  readonly disagreements: readonly AliasDisagreement[];
}

export interface ReconcileRequest {
  readonly endpoints: ObjectStoreEndpoints;
  readonly registry: Registry;
  readonly model: string;
  readonly act: EndpointAct;
  /** The highest generation that a router follows, where one could be asked. */
  readonly routerGeneration?: number;
  /** Only tells. */
  readonly dryRun?: boolean;
}

/**
 * The state to write where the object is lost: the last one known, without its challenger. The generation leaves one free
 * above all known ones, because the newest state of all may have been lost before its record was written.
 */
function restoredState(
  last: EndpointState,
  act: EndpointAct,
  known: { generation: number; champion?: number; previous?: number | null },
): EndpointState {
  const { operationId, by, reason, at } = act;
  const champion = known.champion ?? last.champion;
  return {
    ...last,
    generation: Math.max(known.generation, last.generation) + 2,
    operationId,
    champion,
    revoked: pardon(last.revoked, champion),
    previous: known.champion === undefined ? last.previous : (known.previous ?? null),
    challenger: null,
    trial: null,
    weights: { champion: 100, challenger: 0 },
    change: { kind: 'reconcile', by, reason, at },
  };
}

async function lastKnown(endpoints: ObjectStoreEndpoints, model: string): Promise<EndpointState | undefined> {
  let last: EndpointState | undefined;
  for await (const state of endpoints.history(model)) last = state;
  return last;
}

/** Throws `NotFound` where nothing is known of the endpoint, `Conflict` where someone else wrote in the meantime. */
export async function reconcileEndpoint(request: ReconcileRequest): Promise<Reconciliation> {
  const { endpoints, registry, model, act, dryRun = false } = request;
  // Aliases first: they follow the object, so an object that is read later is never older by mere chance.
  const [champion, challenger, previous] = await Promise.all([
    registry.alias(model, 'champion'),
    registry.alias(model, 'challenger'),
    registry.alias(model, 'previous'),
  ]);
  const standing = await endpoints.readRaw(model);
  const known = Math.max(
    request.routerGeneration ?? 0,
    ...[champion, challenger, previous].map((alias) => alias?.generation ?? 0),
  );

  const sound = standing?.state;
  const finding =
    sound === undefined
      ? standing === undefined
        ? 'The object is gone.'
        : 'The object cannot be read.'
      : known > sound.generation
        ? `Generation ${known} was seen elsewhere, and the object has ${sound.generation}: it was set back.`
        : undefined;

  let state = sound;
  if (finding !== undefined) {
    const recorded = await lastKnown(endpoints, model);
    // An object that was set back is behind its history.
    const last = sound === undefined || (recorded?.generation ?? 0) > sound.generation ? recorded : sound;
    if (last === undefined)
      throw new SystemError(
        'NotFound',
        `Nothing is known of the endpoint ${model}: neither an object nor a history that can be read.`,
      );
    // An alias that mirrors a generation without a record knows more than the history does.
    const newer = champion !== undefined && champion.generation > last.generation;
    const next = restoredState(last, act, {
      generation: known,
      ...(newer ? { champion: champion.version, previous: previous?.version ?? null } : {}),
    });
    state = next;
    if (!dryRun) {
      const written = await endpoints.rewrite(model, next, standing);
      if (!written.won)
        throw new SystemError(
          'Conflict',
          `Someone else wrote the endpoint ${model} while it was being mended: run \`pawl reconcile ${model}\` again.`,
        );
      state = written.state;
    }
  }
  if (state === undefined)
    throw new SystemError('Internal', `The endpoint ${model} has no state after its reconciliation.`);

  const disagreements = await findDisagreements(registry, model, state);
  if (!dryRun) await mirrorAliases(registry, model, state);
  const endpoint = finding === undefined ? 'sound' : dryRun ? 'would be rewritten' : 'rewritten';
  return { model, endpoint, ...(finding === undefined ? {} : { finding }), state, disagreements };
}
