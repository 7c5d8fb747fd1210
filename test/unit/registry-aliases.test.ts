import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideAlias, wasLive } from '../../systems/registry/aliases.js';
import type { AliasChange } from '../../systems/registry/aliases.js';
import type { AliasMove } from '../../systems/registry/port.js';
import type { AliasesRecord } from '../../systems/registry/records.js';

const empty: AliasesRecord = { schema: 1, model: 'bot', environment: 'dev', aliases: {}, segments: 0, moves: [] };
const change = (version: number | null, generation: number, alias = 'champion'): AliasChange => ({
  alias,
  version,
  generation,
  by: 'someone',
  reason: 'a test',
});
const at = (hour: number): string => `2026-11-21T${String(hour).padStart(2, '0')}:00:00.000Z`;

const after = (record: AliasesRecord, each: AliasChange, when = at(1)): AliasesRecord => {
  const decision = decideAlias(record, each, when);
  return decision.kind === 'write' ? decision.next : record;
};

describe('an alias', () => {
  it('is written together with its move', () => {
    const one = after(empty, change(1, 1));
    expect(one.aliases).toEqual({ champion: { version: 1, generation: 1 } });
    expect(one.moves).toMatchObject([
      { alias: 'champion', from: null, to: 1, generation: 1, by: 'someone', at: at(1) },
    ]);
    expect(after(one, change(2, 5)).moves.at(-1)).toMatchObject({ from: 1, to: 2, generation: 5 });
  });

  it('drops a move of an older generation, also after it was taken away', () => {
    const taken = after(after(empty, change(3, 4, 'challenger')), change(null, 6, 'challenger'));
    expect(decideAlias(taken, change(9, 5, 'challenger'), at(2)).kind).toBe('late');
    expect(decideAlias(after(empty, change(null, 6, 'challenger')), change(9, 5, 'challenger'), at(2)).kind).toBe(
      'late',
    );
  });

  it('takes the same move again for done, even when a newer one was made since', () => {
    const record = after(after(empty, change(1, 1)), change(2, 2));
    expect(decideAlias(record, change(2, 2), at(3)).kind).toBe('done');
    expect(decideAlias(record, change(1, 1), at(3)).kind).toBe('done');
  });

  it('raises its fence without a move when only the generation is newer', () => {
    const raised = after(after(empty, change(1, 1)), change(1, 7));
    expect(raised.moves).toHaveLength(1);
    expect(raised.aliases['champion']?.generation).toBe(7);
    expect(decideAlias(raised, change(2, 6), at(2)).kind).toBe('late');
  });

  it('keeps moves in order of time when a clock goes back', () => {
    const record = after(after(empty, change(1, 1), at(5)), change(2, 2), at(3));
    expect(record.moves.map((move) => move.at)).toEqual([at(5), at(5)]);
  });

  it('ends where its highest generation says, in whatever order moves arrive', () => {
    const arrival = fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, n) => n + 1),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(arrival, (generations) => {
        const record = generations.reduce(
          (before, generation) => after(before, change(generation * 10, generation)),
          empty,
        );
        const highest = Math.max(...generations);
        expect(record.aliases['champion']).toEqual({ version: highest * 10, generation: highest });
        expect(record.moves.at(-1)?.to).toBe(highest * 10);
        record.moves.forEach((move, index) => expect(move.from).toBe(record.moves[index - 1]?.to ?? null));
      }),
    );
  });
});

describe('what was live', () => {
  const move = (hour: number, to: number | null, alias = 'champion'): AliasMove => ({
    alias,
    to,
    from: null,
    generation: hour,
    at: at(hour),
    by: 'someone',
    reason: 'a test',
  });
  const history = [move(2, 41), move(4, 42, 'challenger'), move(6, 42), move(8, 41), move(10, null)];

  it.each([
    [1, null],
    [2, 41],
    [5, 41],
    [6, 42],
    [7, 42],
    [8, 41],
    [10, null],
    [23, null],
  ])('at %i o’clock is told from the moves', (hour, version) => {
    expect(wasLive(history, new Date(at(hour)))).toBe(version);
  });

  it('can be asked of any alias', () => {
    expect(wasLive(history, new Date(at(5)), 'challenger')).toBe(42);
    expect(wasLive([], new Date(at(5)))).toBeNull();
  });
});
