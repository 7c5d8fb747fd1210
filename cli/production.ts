// What is served of a model, and what a run under certain settings would find there.

import { latestOrigin, revokedFrom, type Origin } from '../activities/origin.js';
import { describeRevocation } from '../systems/endpoint/revocations.js';
import type { EndpointState, Revocation } from '../systems/endpoint/state.js';
import type { Session } from './session.js';
import { printable } from './style.js';

export interface Production {
  readonly state: EndpointState | null;
  /** Whether the champion was trained under the same settings; null: there is no champion. */
  readonly sameSettings: boolean | null;
  /** The versions that were trained under these settings, and taken back. */
  readonly revoked: readonly Revocation[];
}

/** What cannot be read is told, and keeps nobody from planning. */
export async function readProduction(session: Session, model: string, digest: string): Promise<Production | Error> {
  try {
    const { endpoints, registry } = await session.systems();
    const state = (await endpoints.read(model))?.state ?? null;
    const isSame = ({ settingsDigest }: Origin): boolean => settingsDigest === digest;
    const revoked = await revokedFrom(registry, { model, revoked: state?.revoked ?? [] }, isSame);
    if (state?.champion == null) return { state, sameSettings: null, revoked };
    return { state, sameSettings: isSame(latestOrigin(await registry.version(model, state.champion))), revoked };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A sentence for each thing. Pure. */
export function describeProduction(model: string, production: Production | Error): string[] {
  if (production instanceof Error) return [`What is served cannot be read: ${production.message}`];
  const { state, sameSettings } = production;
  const revoked = production.revoked.map(
    (each) =>
      `Version ${each.version} came of these settings and was ${printable(describeRevocation(each))} With the same data there is nothing to train ("force": true rolls it out again).`,
  );
  if (state?.champion == null)
    return [`${model} is not served yet: its first version is probed, and promoted without a canary.`, ...revoked];
  const trial =
    state.challenger === null
      ? []
      : [`Version ${state.challenger} is on trial: another rollout is refused until it ends.`];
  const champion = `version ${state.champion}`;
  return [
    `The champion is ${champion}, since generation ${state.generation} (${state.change.kind} by ${state.change.by}).`,
    ...trial,
    sameSettings === true
      ? `The settings are those of ${champion}: with the same data there is nothing to train ("force": true trains all the same).`
      : `The settings differ from those of ${champion}: a new version is trained and judged against it.`,
    ...revoked,
  ];
}
