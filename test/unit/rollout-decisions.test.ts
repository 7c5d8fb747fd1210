import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Look, RolloutRequest, Survey } from '../../activities/rollout/protocol.js';
import { addToTally, chooseBaseline, emptyTally, isCovered } from '../../activities/rollout/tally.js';
import { rolloutSettings } from '../../activities/schemas/rollout-settings.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { chooseNextMove, readPast } from '../../workflows/rollout/next-move.js';

const settings = rolloutSettings.parse({ inconclusiveLimit: 2 });
const judgement = (verdict: 'pass' | 'fail' | 'inconclusive' | 'no-data') => ({ verdict, rules: [], summary: 'So.' });
const look = (verdict: 'pass' | 'fail' | 'inconclusive' | 'no-data'): Look => ({
  kind: 'verdict',
  tally: emptyTally,
  judgement: judgement(verdict),
});
const so = (paused = false, extensions = 0) => ({ paused, extensions, settings });

describe('after a look', () => {
  test('only a pass advances, and not while it is paused', () => {
    expect(chooseNextMove(look('pass'), so())).toEqual({ kind: 'advance' });
    expect(chooseNextMove(look('pass'), so(true))).toEqual({ kind: 'extend' });
  });

  test('a fail rolls back, also while it is paused', () => {
    for (const paused of [true, false])
      expect(chooseNextMove(look('fail'), so(paused))).toMatchObject({ kind: 'roll-back', because: 'verdict' });
  });

  test('silence is waited out, and never advances', () => {
    expect(chooseNextMove(look('no-data'), so(false, 99))).toEqual({ kind: 'extend' });
  });

  test('an inconclusive look is repeated up to the limit', () => {
    expect(chooseNextMove(look('inconclusive'), so(false, 1))).toEqual({ kind: 'extend' });
    expect(chooseNextMove(look('inconclusive'), so(false, 2))).toMatchObject({ kind: 'roll-back', because: 'trouble' });
    const waits = { ...so(false, 2), settings: { ...settings, onInconclusive: 'pause' as const } };
    expect(chooseNextMove(look('inconclusive'), waits)).toMatchObject({ kind: 'pause' });
  });

  test('whatever it saw beside a verdict, it rolls back, and says when the lease ran out', () => {
    const base = { tally: emptyTally, judgement: judgement('pass') };
    const others: Look[] = [
      { ...base, kind: 'deadline' },
      { ...base, kind: 'foreign', explanation: 'x' },
      { ...base, kind: 'challenger-died', explanation: 'x' },
    ];
    for (const other of others)
      expect(chooseNextMove(other, so())).toMatchObject({ kind: 'roll-back', because: 'trouble' });
    const lost: Look = { ...base, kind: 'lease-expired', router: 'gateway-1' };
    expect(chooseNextMove(lost, so())).toMatchObject({ kind: 'roll-back', because: 'lease-expired' });
  });
});

describe('an operation that begins', () => {
  const request = { kind: 'deploy', operationId: 'run.canary-deploy.0' } as RolloutRequest;
  const state = (kind: string, trial: string | null = null) => ({ change: { kind }, trial }) as EndpointState;
  const survey = (rest: Partial<Survey>): Survey => ({ state: null, own: [], replaced: [], ...rest });

  test('without a past may begin', () => {
    expect(readPast(survey({}), request)).toBe('fresh');
    expect(readPast(survey({ state: state('weight', 'another') }), request)).toBe('fresh');
  });

  test('that has committed only rolls forward, whatever was written since', () => {
    const own = [state('trial'), state('promote')];
    expect(readPast(survey({ own, state: state('rollback') }), request)).toBe('committed');
  });

  test('whose trial is on without anybody watching it takes it off', () => {
    const trial = state('weight', request.operationId);
    expect(readPast(survey({ own: [trial], state: trial }), request)).toBe('on-trial');
  });

  test('that was rolled back, or may not begin any more, is over', () => {
    expect(readPast(survey({ own: [state('trial'), state('abort')] }), request)).toBe('over');
    expect(readPast(survey({}), { ...request, recovering: true })).toBe('over');
  });
});

describe('a tally', () => {
  const latency = { boundsMs: [10], counts: [0, 0] };
  const measured = (requests: number, coveredMs: number) => ({ requests, errors: 0, latency, coveredMs });

  test('adds up the users who left, also where an earlier build did not count them', () => {
    const of = (unanswered?: number) => ({
      challenger: { ...measured(10, 1_000), ...(unanswered !== undefined && { unanswered }) },
      champion: undefined,
      windowMs: 1_000,
    });
    const tally = [of(3), of(), of(4)].reduce(addToTally, emptyTally);
    expect(tally.challenger).toMatchObject({ requests: 30, unanswered: 7 });
  });

  test('adds up chunks without losing or inventing a request', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ requests: fc.nat(1000), windowMs: fc.integer({ min: 1, max: 1e6 }) })),
        (list) => {
          const tally = list.reduce(
            (sum, { requests, windowMs }) =>
              addToTally(sum, { challenger: measured(requests, windowMs), champion: undefined, windowMs }),
            emptyTally,
          );
          expect(tally.challenger?.requests ?? 0).toBe(list.reduce((sum, { requests }) => sum + requests, 0));
          expect(isCovered(tally)).toBe(true);
        },
      ),
    );
  });

  test('with a gap in it is not covered: counters that were reset are no data', () => {
    const windowMs = 60_000;
    const gap = addToTally(emptyTally, { challenger: measured(500, 20_000), champion: undefined, windowMs });
    expect(isCovered(gap)).toBe(false);
    expect(isCovered(addToTally(emptyTally, { challenger: undefined, champion: undefined, windowMs }))).toBe(false);
  });

  test('compares with the champion of the same time where that had enough requests', () => {
    const of = (requests: number) => ({ requests, errors: 0, latency });
    expect(chooseBaseline(of(300), of(9_000), 300)?.requests).toBe(300);
    expect(chooseBaseline(of(2), of(9_000), 300)?.requests).toBe(9_000);
    expect(chooseBaseline(null, of(9_000), 300)?.requests).toBe(9_000);
    expect(chooseBaseline(of(2), null, 300)?.requests).toBe(2);
    expect(chooseBaseline(null, null, 300)).toBeUndefined();
  });
});

test.each([{ max: 0 }, { maxIncrease: 0 }])('an error rate of %j is refused, since it could never pass', (bound) => {
  const rules = [{ kind: 'errorRate', ...bound }];
  expect(() => rolloutSettings.parse({ rules })).toThrow(/must be above 0/);
});

test('a rise of latency finer than gateways can tell is refused, since it could never pass', () => {
  const rules = [{ kind: 'latency', percentile: 95, maxIncreasePercent: 2 }];
  expect(() => rolloutSettings.parse({ rules })).toThrow(/at least 5/);
});
