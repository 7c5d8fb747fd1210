// Aliases and every move of them: pure decisions, and the object that holds both.

import { SystemError } from '../../dag/failures.js';
import { createJson, readJson } from '../object-store/json-object.js';
import { aliasesKey, aliasSegmentKey } from '../object-store/keys.js';
import type { ObjectStore } from '../object-store/port.js';
import { changeJson } from './change-json.js';
import type { AliasMove, AliasState } from './port.js';
import { aliasesRecord, aliasSegment } from './records.js';
import type { AliasesRecord } from './records.js';

export interface AliasChange {
  readonly alias: string;
  readonly version: number | null;
  readonly generation: number;
  readonly by: string;
  readonly reason: string;
}

/** What an alias's object says of a change: it is to be made, was made before, or comes too late. */
export type AliasDecision =
  { readonly kind: 'done' | 'late' } | { readonly kind: 'write'; readonly next: AliasesRecord };

/** Pure. `at`: ISO 8601; never earlier than the last move, so that moves stand in order on any clock. */
export function decideAlias(standing: AliasesRecord, change: AliasChange, at: string): AliasDecision {
  const { alias, version, generation, by, reason } = change;
  const current = Object.hasOwn(standing.aliases, alias) ? standing.aliases[alias] : undefined;
  if (current !== undefined) {
    if (generation < current.generation) {
      const made = standing.moves.some((m) => m.alias === alias && m.generation === generation && m.to === version);
      return { kind: made ? 'done' : 'late' };
    }
    if (generation === current.generation && version === current.version) return { kind: 'done' };
  }
  const from = current?.version ?? null;
  const lastAt = standing.moves.at(-1)?.at ?? at;
  const move: AliasMove = { alias, generation, at: at < lastAt ? lastAt : at, from, to: version, by, reason };
  const aliases = { ...standing.aliases, [alias]: { version, generation } };
  // The same version under a newer generation only raises the fence.
  const moves = from === version ? standing.moves : [...standing.moves, move];
  return { kind: 'write', next: { ...standing, aliases, moves } };
}

/** Pure: which version an alias stood at then; `null`: none. `history` is oldest first. */
export function wasLive(history: Iterable<AliasMove>, at: Date, alias = 'champion'): number | null {
  let live: number | null = null;
  for (const move of history) if (move.alias === alias && new Date(move.at) <= at) live = move.to;
  return live;
}

export interface AliasHistoryLimits {
  /** Moves in the object beyond which the oldest go to a segment. */
  readonly maxMoves: number;
  readonly movesPerSegment: number;
}

/** The aliases of a model in one environment. */
export class Aliases {
  readonly #objects: ObjectStore;
  readonly #environment: string;
  readonly #limits: AliasHistoryLimits;

  constructor(objects: ObjectStore, environment: string, limits: AliasHistoryLimits) {
    this.#objects = objects;
    this.#environment = environment;
    this.#limits = limits;
  }

  async get(model: string, alias: string): Promise<AliasState | undefined> {
    const aliases = (await this.#read(model))?.aliases ?? {};
    const found = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
    if (found === undefined || found.version === null) return undefined;
    return { alias, version: found.version, generation: found.generation };
  }

  async set(model: string, change: AliasChange): Promise<boolean> {
    let late = false;
    await changeJson(this.#objects, aliasesKey(model, this.#environment), {
      schema: aliasesRecord,
      change: async (standing) => {
        const decision = decideAlias(standing ?? this.#empty(model), change, new Date().toISOString());
        late = decision.kind === 'late';
        return decision.kind === 'write' ? await this.#spill(model, decision.next) : undefined;
      },
    });
    return !late;
  }

  async *history(model: string): AsyncGenerator<AliasMove> {
    const record = await this.#read(model);
    for (let segment = 1; segment <= (record?.segments ?? 0); segment += 1) {
      const found = await readJson(this.#objects, aliasSegmentKey(model, this.#environment, segment), aliasSegment);
      if (found === undefined)
        throw new SystemError(
          'Corrupt',
          `Segment ${segment} of the alias history of ${model} in ${this.#environment} is gone: restore it.`,
        );
      yield* found.value.moves;
    }
    yield* record?.moves ?? [];
  }

  /**
   * Oldest moves into a segment first, out of the object afterwards: after a crash in between the next writer finds the
   * segment there, with the same moves, because a segment is always the same first moves of the object.
   */
  async #spill(model: string, next: AliasesRecord): Promise<AliasesRecord> {
    const { maxMoves, movesPerSegment } = this.#limits;
    if (next.moves.length <= maxMoves) return next;
    const moves = next.moves.slice(0, movesPerSegment);
    const segments = next.segments + 1;
    const key = aliasSegmentKey(model, this.#environment, segments);
    const standing = await createJson(this.#objects, key, { value: { schema: 1, moves }, schema: aliasSegment });
    if (JSON.stringify(standing.moves) !== JSON.stringify(moves))
      throw new SystemError(
        'Corrupt',
        `s3://${this.#objects.bucketName}/${key} holds other moves than the aliases of ${model}: restore one of them.`,
      );
    return { ...next, segments, moves: next.moves.slice(movesPerSegment) };
  }

  async #read(model: string): Promise<AliasesRecord | undefined> {
    return (await readJson(this.#objects, aliasesKey(model, this.#environment), aliasesRecord))?.value;
  }

  #empty(model: string): AliasesRecord {
    return { schema: 1, model, environment: this.#environment, aliases: {}, segments: 0, moves: [] };
  }
}
