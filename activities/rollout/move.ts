// Moves the endpoint object for a rollout. Every write is idempotent by its id, and is made over the one generation that the
// rollout knows: anything else that stands there is somebody else's, and is left alone.

import { SystemError } from '../../dag/failures.js';
import { moveEndpoint } from '../../systems/endpoint/move.js';
import type { Endpoints } from '../../systems/endpoint/port.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import {
  endTrial,
  fence,
  firstPromotion,
  nameChallenger,
  promote,
  revokeFirst,
  rollBack,
  shiftWeight,
  type EndpointAct,
  type Transition,
} from '../../systems/endpoint/transitions.js';
import type { Systems } from '../../systems/systems.js';
import type { MoveAnswer, MoveAuthor, MoveRequest, TakeOffAnswer, TakeOffRequest } from './protocol.js';
import { renewEverywhere } from './routers.js';

/** Throws `Unavailable` (also while a router cannot be asked for the lease), `Corrupt`. */
export async function moveForRollout(systems: Systems, request: MoveRequest): Promise<MoveAnswer> {
  if (!request.underLease) return write(systems, request);
  const { model, trial, leaseMs, overGeneration } = request;
  const lease = { model, trial, leaseMs, generation: overGeneration };
  const before = await renewEverywhere(systems.serving, lease);
  // A try before this one may have won: then the routers are at our own generation already.
  if (before.kind === 'foreign') return write(systems, request);
  if (before.kind !== 'held') return (await find(systems.endpoints, request)) ?? before;
  const untilMs = performance.now() + leaseMs;
  const beating = setInterval(() => {
    // Nobody watches the challenger meanwhile: a write that hangs may not keep its share alive.
    if (performance.now() >= untilMs) clearInterval(beating);
    else renewEverywhere(systems.serving, lease).catch(() => undefined);
  }, leaseMs / 3);
  try {
    return await write(systems, request);
  } finally {
    clearInterval(beating);
  }
}

async function write(systems: Systems, request: MoveRequest): Promise<MoveAnswer> {
  const act = actOf(request);
  const result = await moveEndpoint(systems.endpoints, request.model, {
    operationId: act.operationId,
    decide: (state) =>
      (state?.generation ?? 0) === request.overGeneration
        ? transitionOf(systems.environment, request, { state, act })
        : { allowed: false, refusal: foreign(state, request.overGeneration) },
  });
  return result.moved ? { kind: 'moved', state: result.state } : { kind: 'foreign', explanation: result.refusal };
}

/** The write itself, where an earlier try made it and lost the answer. */
async function find(endpoints: Endpoints, request: MoveRequest): Promise<MoveAnswer | undefined> {
  const fromGeneration = Math.max(1, request.overGeneration);
  for await (const state of endpoints.history(request.model, { fromGeneration }))
    if (state.operationId === request.writeId) return { kind: 'moved', state };
  return undefined;
}

const actOf = ({ writeId, by, reason }: MoveAuthor): EndpointAct => ({
  operationId: writeId,
  by,
  reason,
  at: new Date().toISOString(),
});

const foreign = (state: EndpointState | null, expected: number): string =>
  state === null
    ? 'Somebody else removed the endpoint object.'
    : `Somebody else moved the endpoint: generation ${state.generation} (${state.change.kind} by ${state.change.by}) stands ` +
      `where this rollout expected ${expected === 0 ? 'nothing' : expected}.`;

function transitionOf(
  environment: string,
  { move, model, trial, leaseMs }: MoveRequest,
  { state, act }: { readonly state: EndpointState | null; readonly act: EndpointAct },
): Transition {
  switch (move.kind) {
    case 'first':
      return firstPromotion(state, act, { environment, model, version: move.version, leaseMs });
    case 'trial':
      return nameChallenger(state, act, { version: move.version, trial, leaseMs });
    case 'weight':
      return shiftWeight(state, act, { trial, weightPercent: move.weightPercent });
    case 'promote':
      return promote(state, act, trial);
    case 'rollback':
      return rollBack(state, act, { toVersion: move.version });
  }
}

/** Takes a trial's challenger off, wherever the trial stands. Throws `Unavailable`. */
export async function takeOffChallenger(
  { endpoints, environment }: Systems,
  request: TakeOffRequest,
): Promise<TakeOffAnswer> {
  const act = actOf(request);
  try {
    const found = (await endpoints.read(request.model))?.state ?? null;
    if (await hasCommitted(endpoints, request, found)) return { was: 'committed', state: found };
    const result = await moveEndpoint(endpoints, request.model, {
      operationId: act.operationId,
      decide: (state) => {
        const { model, trial, kind, revokes, leaseMs } = request;
        if (state === null && request.fence && revokes !== null)
          return revokeFirst(act, { environment, model, version: revokes, leaseMs });
        if (state?.trial === trial) return endTrial(state, act, { trial, kind, revokes: revokes !== null });
        return request.fence && state !== null && state.trial === null && !isOwnCommit(state, trial)
          ? fence(state, act, revokes)
          : { allowed: false, refusal: 'gone' };
      },
    });
    const { current } = result;
    if (result.moved) return { was: 'on-trial', state: current };
    const committed = await hasCommitted(endpoints, request, current);
    return { was: committed ? 'committed' : 'gone', state: current };
  } catch (error) {
    if (error instanceof SystemError && error.type === 'Corrupt') return { was: 'unreadable', state: null };
    throw error;
  }
}

const isOwnCommit = (state: EndpointState, trial: string): boolean =>
  (state.change.kind === 'promote' || state.change.kind === 'rollback') && state.operationId.startsWith(`${trial}/`);

/** The commit's answer may have been lost, and others may have written since. */
async function hasCommitted(
  endpoints: Endpoints,
  { model, trial }: TakeOffRequest,
  current: EndpointState | null,
): Promise<boolean> {
  if (current === null) return false;
  const fromGeneration = Math.max(1, current.generation - 32);
  for await (const state of endpoints.history(model, { fromGeneration })) if (isOwnCommit(state, trial)) return true;
  return false;
}
