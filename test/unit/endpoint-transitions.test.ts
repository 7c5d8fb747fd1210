import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointState } from '../../systems/endpoint/state.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import * as transitions from '../../systems/endpoint/transitions.js';
import type { EndpointAct, Transition } from '../../systems/endpoint/transitions.js';

let acts = 0;
const act = (operationId = `op-${(acts += 1)}`): EndpointAct => ({
  operationId,
  by: 'someone',
  reason: 'a test',
  at: '2026-11-21T09:00:00.000Z',
});

const allowed = (transition: Transition): EndpointState => {
  if (!transition.allowed) throw new Error(transition.refusal);
  return transition.next;
};
const refusal = (transition: Transition): string => {
  if (transition.allowed) throw new Error('it was allowed');
  return transition.refusal;
};

const first = (version = 1): EndpointState =>
  allowed(transitions.firstPromotion(null, act(), { environment: 'dev', model: 'bot', version, leaseMs: 90_000 }));
const onTrial = (version = 2, trial = 'rollout-a'): EndpointState =>
  allowed(transitions.nameChallenger(first(), act(), { version, trial }));

describe('an endpoint', () => {
  it('begins with the first promotion, and only once', () => {
    expect(first()).toMatchObject({ generation: 1, champion: 1, previous: null, challenger: null });
    const again = transitions.firstPromotion(first(), act(), {
      environment: 'dev',
      model: 'bot',
      version: 2,
      leaseMs: 1,
    });
    expect(refusal(again)).toMatch(/serves version 1/);
  });

  it('names a challenger at weight 0', () => {
    expect(onTrial()).toMatchObject({
      generation: 2,
      champion: 1,
      challenger: 2,
      trial: 'rollout-a',
      weights: { champion: 100, challenger: 0 },
      change: { kind: 'trial' },
    });
  });

  it('refuses a second trial while one is on, the champion as its own challenger, and a trial without a champion', () => {
    const second = transitions.nameChallenger(onTrial(), act(), { version: 3, trial: 'rollout-b' });
    expect(refusal(second)).toMatch(/Version 2 is on trial .*rollout-a/);
    refusal(transitions.nameChallenger(first(), act(), { version: 1, trial: 'rollout-b' }));
    refusal(transitions.nameChallenger(null, act(), { version: 1, trial: 'rollout-b' }));
  });

  it('gives the challenger weight, and refuses weights beyond 0 and 100 or for another trial', () => {
    const shifted = allowed(transitions.shiftWeight(onTrial(), act(), { trial: 'rollout-a', weightPercent: 25 }));
    expect(shifted).toMatchObject({ generation: 3, weights: { champion: 75, challenger: 25 } });
    for (const weightPercent of [-1, 100.1, Number.NaN, Infinity])
      refusal(transitions.shiftWeight(onTrial(), act(), { trial: 'rollout-a', weightPercent }));
    expect(refusal(transitions.shiftWeight(onTrial(), act(), { trial: 'rollout-b', weightPercent: 5 }))).toMatch(
      /rollout-b is not on .*the trial rollout-a is on/,
    );
  });

  it('promotes the challenger of the trial that asks, and of no other', () => {
    const promoted = allowed(transitions.promote(onTrial(), act(), 'rollout-a'));
    expect(promoted).toMatchObject({
      champion: 2,
      previous: 1,
      challenger: null,
      trial: null,
      change: { kind: 'promote' },
    });
    expect(promoted.weights).toEqual({ champion: 100, challenger: 0 });
    refusal(transitions.promote(onTrial(), act(), 'rollout-b'));
    refusal(transitions.promote(promoted, act(), 'rollout-a'));
    refusal(transitions.promote(null, act(), 'rollout-a'));
  });

  it('ends a trial and keeps its champion, by abort, by expiry and by an operator', () => {
    const shifted = allowed(transitions.shiftWeight(onTrial(), act(), { trial: 'rollout-a', weightPercent: 50 }));
    const ends = {
      abort: transitions.endTrial(shifted, act(), { trial: 'rollout-a', kind: 'abort' }),
      expire: transitions.endTrial(shifted, act(), { trial: 'rollout-a', kind: 'expire' }),
      'champion-only': transitions.championOnly(shifted, act()),
    };
    for (const [kind, ended] of Object.entries(ends))
      expect(allowed(ended)).toMatchObject({
        champion: 1,
        challenger: null,
        trial: null,
        weights: { champion: 100 },
        change: { kind },
      });
    refusal(transitions.endTrial(shifted, act(), { trial: 'rollout-b', kind: 'abort' }));
    refusal(transitions.endTrial(first(), act(), { trial: 'rollout-a', kind: 'expire' }));
    refusal(transitions.championOnly(first(), act()));
  });

  it('rolls back to the previous version, and not forward again by a second rollback', () => {
    const promoted = allowed(transitions.promote(onTrial(), act(), 'rollout-a'));
    const back = allowed(transitions.rollBack(promoted, act()));
    expect(back).toMatchObject({ champion: 1, previous: null, change: { kind: 'rollback' } });
    expect(refusal(transitions.rollBack(back, act()))).toMatch(/name the version/);
    expect(allowed(transitions.rollBack(back, act(), { toVersion: 2, previous: 1 }))).toMatchObject({
      champion: 2,
      previous: 1,
    });
    refusal(transitions.rollBack(back, act(), { toVersion: 1 }));
    refusal(transitions.rollBack(first(), act()));
    refusal(transitions.rollBack(null, act(), { toVersion: 1 }));
  });

  it('takes a trial off when it rolls back', () => {
    const promoted = allowed(transitions.promote(onTrial(), act(), 'rollout-a'));
    const trying = allowed(transitions.nameChallenger(promoted, act(), { version: 3, trial: 'rollout-c' }));
    expect(allowed(transitions.rollBack(trying, act()))).toMatchObject({ champion: 1, challenger: null, trial: null });
  });

  it('answers the standing state when the same operation is asked again', () => {
    const once = act('same');
    const promoted = allowed(transitions.promote(onTrial(), once, 'rollout-a'));
    expect(allowed(transitions.promote(promoted, once, 'rollout-a'))).toBe(promoted);
    const back = act('back');
    const rolledBack = allowed(transitions.rollBack(promoted, back));
    expect(allowed(transitions.rollBack(rolledBack, back))).toBe(rolledBack);
  });
});

describe('a version that was taken back', () => {
  const revoked = (state: EndpointState): number[] => state.revoked.map(({ version }) => version);
  const promoted = (): EndpointState => allowed(transitions.promote(onTrial(), act(), 'rollout-a'));

  it('is the champion that a rollback left, with who did it and why', () => {
    const back = allowed(transitions.rollBack(promoted(), { ...act(), by: 'ada', reason: 'answers in French' }));
    expect(back.revoked).toEqual([
      { version: 2, by: 'ada', reason: 'answers in French', at: '2026-11-21T09:00:00.000Z' },
    ]);
  });

  it('is a challenger that was judged or aborted, and none whose trial ended for other reasons', () => {
    const end = (kind: 'abort' | 'expire', revokes?: boolean) =>
      revoked(
        allowed(transitions.endTrial(onTrial(), act(), { trial: 'rollout-a', kind, ...(revokes && { revokes }) })),
      );
    expect(end('abort', true)).toEqual([2]);
    expect(end('expire', true)).toEqual([2]);
    expect(end('abort')).toEqual([]);
    expect(end('expire')).toEqual([]);
    expect(revoked(allowed(transitions.championOnly(onTrial(), act())))).toEqual([2]);
  });

  it('is one that was stopped before its trial began', () => {
    const fenced = allowed(transitions.fence(first(), act(), 2));
    expect(fenced).toMatchObject({ champion: 1, generation: 2, revoked: [{ version: 2 }] });
    expect(revoked(allowed(transitions.fence(first(), act(), null)))).toEqual([]);
    expect(revoked(allowed(transitions.fence(first(), act(), 1)))).toEqual([]);
  });

  it('is a first version that was stopped before there was an endpoint, which serves nothing until then', () => {
    const named = { environment: 'dev', model: 'bot', version: 1, leaseMs: 90_000 };
    const stopped = allowed(transitions.revokeFirst(act(), named));
    expect(endpointState.safeParse(stopped).success).toBe(true);
    expect(stopped).toMatchObject({ generation: 1, champion: null, revoked: [{ version: 1 }] });
    expect(allowed(transitions.firstPromotion(stopped, act(), named))).toMatchObject({ champion: 1, revoked: [] });
  });

  it('may be tried again by name, stays revoked meanwhile, and no longer is once it is the champion', () => {
    const back = allowed(transitions.rollBack(promoted(), act()));
    const again = allowed(transitions.nameChallenger(back, act(), { version: 2, trial: 'rollout-b' }));
    expect(revoked(again)).toEqual([2]);
    expect(revoked(allowed(transitions.promote(again, act(), 'rollout-b')))).toEqual([]);
    expect(revoked(allowed(transitions.rollBack(back, act(), { toVersion: 2 })))).toEqual([1]);
  });

  it('is forgotten after fifty others', () => {
    let state = first();
    for (let version = 2; version <= 60; version += 1) state = allowed(transitions.fence(state, act(), version));
    expect(revoked(state)).toHaveLength(50);
    expect(revoked(state)[0]).toBe(11);
  });
});

describe('any sequence of transitions', () => {
  const trial = fc.constantFrom('a', 'b', 'c');
  const version = fc.integer({ min: 1, max: 4 });
  type Move = (state: EndpointState | null) => Transition;
  const move: fc.Arbitrary<Move> = fc.oneof(
    version.map(
      (v): Move =>
        (s) =>
          transitions.firstPromotion(s, act(), { environment: 'dev', model: 'bot', version: v, leaseMs: 5 }),
    ),
    fc.tuple(version, trial).map(
      ([v, t]): Move =>
        (s) =>
          transitions.nameChallenger(s, act(), { version: v, trial: t }),
    ),
    fc.tuple(fc.double({ min: -1, max: 101 }), trial).map(
      ([w, t]): Move =>
        (s) =>
          transitions.shiftWeight(s, act(), { trial: t, weightPercent: w }),
    ),
    trial.map(
      (t): Move =>
        (s) =>
          transitions.promote(s, act(), t),
    ),
    trial.map(
      (t): Move =>
        (s) =>
          transitions.endTrial(s, act(), { trial: t, kind: 'abort', revokes: true }),
    ),
    trial.map(
      (t): Move =>
        (s) =>
          transitions.endTrial(s, act(), { trial: t, kind: 'expire' }),
    ),
    fc.option(version).map(
      (v): Move =>
        (s) =>
          transitions.rollBack(s, act(), v === null ? {} : { toVersion: v }),
    ),
    fc.constant<Move>((s) => transitions.championOnly(s, act())),
  );

  it('keeps weights at 100 in sum, raises the generation by one, and changes the champion only by a commit', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        let state: EndpointState | null = null;
        for (const each of moves) {
          const transition = each(state);
          if (!transition.allowed) {
            expect(transition.refusal).toMatch(/\.$/);
            continue;
          }
          const next: EndpointState = transition.next;
          expect(endpointState.safeParse(next).error?.issues).toBeUndefined();
          expect(next.weights.champion + next.weights.challenger).toBe(100);
          expect(next.generation).toBe((state?.generation ?? 0) + 1);
          expect(next.challenger).not.toBe(next.champion);
          if (next.champion !== (state?.champion ?? null)) {
            expect(['promote', 'rollback']).toContain(next.change.kind);
            expect(next.challenger).toBeNull();
            if (next.change.kind === 'promote' && state !== null) {
              expect(next.champion).toBe(state.challenger);
              expect(next.previous).toBe(state.champion);
            }
          }
          state = next;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
