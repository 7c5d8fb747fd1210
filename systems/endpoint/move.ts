// Reads an endpoint, decides by a transition, writes, and decides again where someone else wrote in between.

import { SystemError } from '../../dag/failures.js';
import type { EndpointReading, Endpoints } from './port.js';
import type { EndpointState } from './state.js';
import type { Transition } from './transitions.js';

const rounds = 8;
/** How far back a write of one's own is looked for that others have written over. */
const lookBackGenerations = 32;

export interface EndpointMove {
  readonly operationId: string;
  /** Pure; asked again with what stands there after a lost race. */
  decide(state: EndpointState | null): Transition;
}

/** `moved: true`: this operation made `state`, now or earlier; `current` is what stands there, which may be newer. */
export type EndpointMoveResult =
  | { readonly moved: true; readonly state: EndpointState; readonly current: EndpointState }
  | { readonly moved: false; readonly refusal: string; readonly current: EndpointState | null };

async function findWrite(
  endpoints: Endpoints,
  current: EndpointReading,
  operationId: string,
): Promise<EndpointState | undefined> {
  const { model, generation } = current.state;
  const fromGeneration = Math.max(1, generation - lookBackGenerations);
  for await (const state of endpoints.history(model, { fromGeneration }))
    if (state.operationId === operationId) return state;
  return undefined;
}

/** Idempotent by the operation id, however often it is tried again. Throws `Unavailable`, `Corrupt`. */
export async function moveEndpoint(
  endpoints: Endpoints,
  model: string,
  move: EndpointMove,
): Promise<EndpointMoveResult> {
  for (let round = 1; round <= rounds; round += 1) {
    const reading = await endpoints.read(model);
    // An earlier try may have won and been written over since; deciding anew would do the same thing twice.
    const own = reading && (await findWrite(endpoints, reading, move.operationId));
    if (reading !== undefined && own !== undefined) return { moved: true, state: own, current: reading.state };
    const transition = move.decide(reading?.state ?? null);
    if (!transition.allowed) return { moved: false, refusal: transition.refusal, current: reading?.state ?? null };
    const written = await endpoints.write(model, transition.next, reading ?? null);
    if (written.won) return { moved: true, state: written.state, current: written.state };
  }
  throw new SystemError(
    'Unavailable',
    `The endpoint ${model} was written by others ${rounds} times in a row: try again.`,
  );
}
