// From one state of an endpoint to the next, or why not. Pure: every rule of what an endpoint may do stands here.

import { pardon, revoke } from './revocations.js';
import type { EndpointChangeKind, EndpointState } from './state.js';

/** Who moves the endpoint, and why. */
export interface EndpointAct {
  /** One for each write, and the same when the write is tried again. */
  readonly operationId: string;
  readonly by: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** `refusal`: one sentence. Where the state was already made by the act, `next` is that state. */
export type Transition =
  { readonly allowed: true; readonly next: EndpointState } | { readonly allowed: false; readonly refusal: string };

const refuse = (refusal: string): Transition => ({ allowed: false, refusal });

type Change = Partial<
  Omit<EndpointState, 'schema' | 'environment' | 'model' | 'generation' | 'operationId' | 'change'>
>;

/** Whoever becomes the champion is no longer revoked. */
function move(state: EndpointState, kind: EndpointChangeKind, act: EndpointAct, change: Change): Transition {
  const { operationId, by, reason, at } = act;
  const made = { ...state, ...change, generation: state.generation + 1, operationId, change: { kind, by, reason, at } };
  return { allowed: true, next: { ...made, revoked: pardon(made.revoked, made.champion) } };
}

const noChallenger = { challenger: null, trial: null, weights: { champion: 100, challenger: 0 } } as const;

const where = (state: EndpointState): string => `the endpoint ${state.model} in ${state.environment}`;

/** The trial that the caller means, or why it is not on. */
function faultOfTrial(state: EndpointState | null, trial: string): string | undefined {
  if (state === null) return `No trial ${trial} is on: there is no endpoint.`;
  if (state.trial === trial) return undefined;
  const instead = state.trial === null ? 'no challenger is on trial' : `the trial ${state.trial} is on`;
  return `The trial ${trial} is not on at ${where(state)}: ${instead} since generation ${state.generation} (${state.change.kind} by ${state.change.by}).`;
}

/** A write that is tried again finds its own content. */
const alreadyDone = (state: EndpointState | null, act: EndpointAct): Transition | undefined =>
  state?.operationId === act.operationId ? { allowed: true, next: state } : undefined;

interface FirstVersion {
  readonly environment: string;
  readonly model: string;
  readonly version: number;
  readonly leaseMs: number;
}

function beginning(
  { operationId, by, reason, at }: EndpointAct,
  { environment, model, version, leaseMs }: FirstVersion,
  kind: EndpointChangeKind,
): EndpointState {
  return {
    schema: 1,
    environment,
    model,
    generation: 1,
    operationId,
    champion: version,
    previous: null,
    ...noChallenger,
    leaseMs,
    revoked: [],
    change: { kind, by, reason, at },
  };
}

/** A model's first champion, where there is no endpoint yet, or one that serves nothing. */
export function firstPromotion(state: EndpointState | null, act: EndpointAct, first: FirstVersion): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  const { version, leaseMs } = first;
  if (state !== null) {
    if (state.champion !== null)
      return refuse(`Version ${version} is no first champion: ${where(state)} serves version ${state.champion}.`);
    return move(state, 'promote', act, { ...noChallenger, champion: version, leaseMs });
  }
  return { allowed: true, next: beginning(act, first, 'promote') };
}

/** Begins a trial: names the challenger, at weight 0. */
export function nameChallenger(
  state: EndpointState | null,
  act: EndpointAct,
  challenge: { version: number; trial: string; leaseMs?: number },
): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  if (state === null || state.champion === null)
    return refuse(
      `Version ${challenge.version} cannot challenge: there is no champion; the first version is promoted.`,
    );
  if (state.challenger !== null)
    return refuse(
      `Version ${state.challenger} is on trial at ${where(state)} (${state.trial}): end that rollout first.`,
    );
  if (state.champion === challenge.version)
    return refuse(`Version ${challenge.version} is the champion of ${where(state)} already.`);
  const { version: challenger, trial, leaseMs = state.leaseMs } = challenge;
  return move(state, 'trial', act, { challenger, trial, leaseMs });
}

/** Gives the trial's challenger a share of the traffic. */
export function shiftWeight(
  state: EndpointState | null,
  act: EndpointAct,
  shift: { trial: string; weightPercent: number },
): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  const fault = faultOfTrial(state, shift.trial);
  if (state === null || fault !== undefined) return refuse(fault ?? 'There is no endpoint.');
  const { weightPercent } = shift;
  if (!(weightPercent >= 0 && weightPercent <= 100))
    return refuse(`The weight ${weightPercent} is not between 0 and 100.`);
  return move(state, 'weight', act, { weights: { champion: 100 - weightPercent, challenger: weightPercent } });
}

/** The commit: the trial's challenger becomes the champion. */
export function promote(state: EndpointState | null, act: EndpointAct, trial: string): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  const fault = faultOfTrial(state, trial);
  if (state === null || fault !== undefined) return refuse(fault ?? 'There is no endpoint.');
  return move(state, 'promote', act, { ...noChallenger, champion: state.challenger, previous: state.champion });
}

/** Takes the trial's challenger off: by `abort`, or by `expire` where its lease ran out. `revokes`: for good. */
export function endTrial(
  state: EndpointState | null,
  act: EndpointAct,
  end: { trial: string; kind: 'abort' | 'expire'; revokes?: boolean },
): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  const fault = faultOfTrial(state, end.trial);
  if (state === null || fault !== undefined) return refuse(fault ?? 'There is no endpoint.');
  const revoked = end.revokes === true ? revoke(state.revoked, state.challenger, act) : state.revoked;
  return move(state, end.kind, act, { ...noChallenger, revoked });
}

/**
 * The same content under a new generation, so that a late write over the old one can no longer win; `revokes` a version that
 * was to come.
 */
export function fence(state: EndpointState, act: EndpointAct, revokes: number | null): Transition {
  return move(state, 'abort', act, { revoked: revoke(state.revoked, revokes, act) });
}

/** A first version that was stopped before there was an endpoint: one that serves nothing keeps in mind that it was revoked. */
export function revokeFirst(act: EndpointAct, first: FirstVersion): Transition {
  const revoked = revoke([], first.version, act);
  return { allowed: true, next: { ...beginning(act, first, 'abort'), champion: null, revoked } };
}

/**
 * Champion = an earlier version (the previous one where none is named), whatever trial is on; what was served until then is
 * revoked. Afterwards no previous version is known unless `previous` says it: a second rollback must not return to the version
 * that was just left.
 */
export function rollBack(
  state: EndpointState | null,
  act: EndpointAct,
  back: { toVersion?: number; previous?: number } = {},
): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  if (state === null || state.champion === null)
    return refuse('There is nothing to roll back: the endpoint serves no version.');
  const toVersion = back.toVersion ?? state.previous;
  if (toVersion === null)
    return refuse(`No previous version of ${where(state)} is known: name the version to go back to.`);
  if (toVersion === state.champion) return refuse(`Version ${toVersion} is the champion of ${where(state)} already.`);
  const revoked = revoke(revoke(state.revoked, state.champion, act), state.challenger, act);
  return move(state, 'rollback', act, {
    ...noChallenger,
    champion: toVersion,
    previous: back.previous ?? null,
    revoked,
  });
}

/** An operator sends everything to the champion, and revokes the challenger. */
export function championOnly(state: EndpointState | null, act: EndpointAct): Transition {
  const done = alreadyDone(state, act);
  if (done !== undefined) return done;
  if (state === null) return refuse('There is no endpoint.');
  if (state.challenger === null)
    return refuse(`No challenger is on trial at ${where(state)}: it serves its champion only.`);
  const revoked = revoke(state.revoked, state.challenger, act);
  return move(state, 'champion-only', act, { ...noChallenger, revoked });
}
