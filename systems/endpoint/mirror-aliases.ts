// The registry's aliases champion, challenger and previous mirror the endpoint object; this compares and mends them.

import type { Registry } from '../registry/port.js';
import type { EndpointState } from './state.js';

const mirroredAliases = ['champion', 'challenger', 'previous'] as const;
type MirroredAlias = (typeof mirroredAliases)[number];

export interface AliasDisagreement {
  readonly alias: MirroredAlias;
  readonly inEndpoint: number | null;
  readonly inRegistry: number | null;
  /** The generation that the alias was last written with; 0: never. */
  readonly aliasGeneration: number;
}

/** Where the registry says something else than the endpoint; empty at rest. */
export async function findDisagreements(
  registry: Registry,
  model: string,
  state: EndpointState,
): Promise<AliasDisagreement[]> {
  const aliases = await Promise.all(mirroredAliases.map((alias) => registry.alias(model, alias)));
  return mirroredAliases.flatMap((alias, index) => {
    const inRegistry = aliases[index]?.version ?? null;
    if (inRegistry === state[alias]) return [];
    return [{ alias, inEndpoint: state[alias], inRegistry, aliasGeneration: aliases[index]?.generation ?? 0 }];
  });
}

/**
 * Makes the aliases say what the state says, one after the other, idempotently. An alias that mirrors a newer generation
 * stays as it is; the answer is `false` where that kept the state from being mirrored.
 */
export async function mirrorAliases(registry: Registry, model: string, state: EndpointState): Promise<boolean> {
  const { generation, change } = state;
  let newest = true;
  for (const alias of mirroredAliases) {
    const move = { version: state[alias], generation, by: change.by, reason: `${change.kind}: ${change.reason}` };
    newest = (await registry.setAlias(model, alias, move)) && newest;
  }
  return newest;
}
