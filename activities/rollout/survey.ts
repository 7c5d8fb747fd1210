// Reads the endpoint as an operation finds it, and what the same operation has written before.

import type { Endpoints } from '../../systems/endpoint/port.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import type { Survey } from './protocol.js';

/** An operation's own writes are looked for among the newest. */
const lookBackGenerations = 200;

/** Idempotent. Throws `Unavailable`, and `Corrupt` where the object is lost or cannot be read. */
export async function surveyEndpoint(
  endpoints: Endpoints,
  request: { model: string; operationId: string },
): Promise<Survey> {
  const state = (await endpoints.read(request.model))?.state ?? null;
  if (state === null) return { state, own: [], replaced: [] };
  const own: EndpointState[] = [];
  let replaced: number[] = [];
  let before: EndpointState | undefined;
  const fromGeneration = Math.max(1, state.generation - lookBackGenerations);
  for await (const past of endpoints.history(request.model, { fromGeneration })) {
    if (past.operationId.startsWith(`${request.operationId}/`)) {
      own.push(past);
      if (isCommit(past)) replaced = before === undefined ? [] : versionsLeft(before, past);
    }
    before = past;
  }
  return { state, own, replaced };
}

const isCommit = ({ change }: EndpointState): boolean => change.kind === 'promote' || change.kind === 'rollback';

const versionsLeft = (before: EndpointState, after: EndpointState): number[] =>
  [before.champion, before.challenger].filter((version) => version !== null && version !== after.champion) as number[];
