import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verdict as verdictSchema } from '../../activities/schemas/verdict.js';
import type { GateEvidence } from '../../stats/gate.js';
import { atLeast, atMost, judgeGate, notWorseThan } from '../../stats/gate.js';

const evidence = (
  metrics: GateEvidence['metrics'],
  champion: GateEvidence['metrics'] | null = null,
  slices: GateEvidence['slices'] = {},
): GateEvidence => ({ metrics, slices, champion: champion === null ? null : { metrics: champion, slices: {} } });
const reading = (value: number | null, samples = 1000) => ({ value, samples });

describe('the gate', () => {
  test('accepts when every rule holds, and says so rule by rule', () => {
    const judged = judgeGate(
      [atLeast('exactMatch', 0.8, { minSamples: 500 }), notWorseThan('champion', 'exactMatch', { by: 0.01 })],
      evidence({ exactMatch: reading(0.84) }, { exactMatch: reading(0.845) }),
    );
    expect(judged.outcome).toBe('accepted');
    expect(judged.rules.map(({ rule }) => rule)).toEqual([
      'exactMatch ≥ 0.8 on 500 samples or more',
      'exactMatch no more than 0.01 worse than the champion',
    ]);
    expect(verdictSchema.parse(judged)).toEqual(judged);
  });

  test.each([
    ['missing', {}],
    ['null', { exactMatch: reading(null) }],
    ['NaN', { exactMatch: reading(NaN) }],
    ['infinite', { exactMatch: reading(Infinity) }],
    ['on too few samples', { exactMatch: reading(0.99, 499) }],
  ])('rejects a metric that is %s', (_, metrics) => {
    const judged = judgeGate([atLeast('exactMatch', 0.8, { minSamples: 500 })], evidence(metrics));
    expect(judged).toMatchObject({ passed: false, rules: [{ result: 'missing' }] });
    expect(verdictSchema.safeParse(judged).success).toBe(true);
  });

  test('does not find what every object inherits', () => {
    expect(judgeGate([atLeast('constructor', 0)], evidence({})).rules[0]?.result).toBe('missing');
  });

  test('rejects when the champion was not measured on the metric', () => {
    const rules = [notWorseThan('champion', 'f1', { by: 0.1 })];
    expect(judgeGate(rules, evidence({ f1: reading(0.9) }, {})).rules[0]).toMatchObject({
      result: 'missing',
      explanation: "The champion's f1 was not measured.",
    });
  });

  test('does not apply a rule against a champion that is not there, but wants one absolute rule', () => {
    const relative = notWorseThan('champion', 'f1', { by: 0.1 });
    const only = judgeGate([relative], evidence({ f1: reading(0.9) }));
    expect(only.passed).toBe(false);
    expect(only.summary).toContain('add atLeast or atMost');
    const both = judgeGate([relative, atLeast('f1', 0.8)], evidence({ f1: reading(0.9) }));
    expect(both.passed).toBe(true);
    expect(both.rules.map(({ result }) => result)).toEqual(['not-applicable', 'pass']);
  });

  test('rejects without any rule', () => {
    expect(judgeGate([], evidence({})).passed).toBe(false);
  });

  test('knows that a perplexity is better when it is lower, and lets a rule say otherwise', () => {
    const worse = evidence({ perplexity: reading(12) }, { perplexity: reading(10) });
    expect(judgeGate([notWorseThan('champion', 'perplexity', { by: 1 })], worse).passed).toBe(false);
    const other = notWorseThan('champion', 'perplexity', { by: 1, higherIsBetter: true });
    expect(judgeGate([other], worse).passed).toBe(true);
  });

  test('judges a slice by itself', () => {
    const sliced = evidence({ f1: reading(0.9) }, null, { 'language=de': { f1: reading(0.5) } });
    const judged = judgeGate([atLeast('f1', 0.8), atLeast('f1', 0.8, { slice: 'language=de' })], sliced);
    expect(judged.rules.map(({ result }) => result)).toEqual(['pass', 'fail']);
    expect(judgeGate([atLeast('f1', 0.1, { slice: 'language=fr' })], sliced).passed).toBe(false);
  });

  const beside = (value: number, baseline: number, [low, high]: readonly [number, number]) =>
    evidence(
      {
        exactMatch: {
          ...reading(value, 500),
          low: value - 0.03,
          high: value + 0.03,
          difference: { value: value - baseline, samples: 500, low, high },
        },
      },
      { exactMatch: reading(baseline, 500) },
    );

  test('says how sure the value and the difference are, and decides on the values alone', () => {
    const rules = [atLeast('exactMatch', 0.8), notWorseThan('champion', 'exactMatch', { by: 0.01 })];
    const passed = judgeGate(rules, beside(0.84, 0.845, [-0.03, 0.02]));
    expect(passed.rules.map(({ result, explanation }) => [result, explanation])).toEqual([
      ['pass', 'exactMatch is 0.84 (interval 0.81 to 0.87), at least 0.8.'],
      [
        'pass',
        "exactMatch is 0.84 against the champion's 0.845, a difference of -0.005 (interval -0.03 to 0.02), within the bound of 0.835.",
      ],
    ]);
    const failed = judgeGate(rules, beside(0.83, 0.845, [-0.04, 0.01])).rules[1];
    expect(failed).toMatchObject({
      result: 'fail',
      explanation: expect.stringContaining('(interval -0.04 to 0.01), beyond') as string,
    });
  });

  test('wants the whole interval within the bound where a rule says so', () => {
    const rule = notWorseThan('champion', 'exactMatch', { by: 0.01, confident: true });
    const judged = (low: number, high: number) => judgeGate([rule], beside(0.84, 0.845, [low, high])).rules[0];
    expect(judged(-0.01, 0.02)).toMatchObject({
      rule: 'exactMatch no more than 0.01 worse than the champion, with its whole interval',
      result: 'pass',
      baseline: 0.845,
      explanation: expect.stringContaining('all of it within the 0.01 that it may be worse') as string,
    });
    expect(judged(-0.011, 0.02)).toMatchObject({
      result: 'fail',
      explanation: expect.stringContaining('reaching beyond the 0.01') as string,
    });
    const lower = notWorseThan('champion', 'loss', { by: 0.1, confident: true });
    const losses = (high: number) =>
      evidence({ loss: { ...reading(1), difference: { value: 0, samples: 9, low: -1, high } } }, { loss: reading(1) });
    expect(judgeGate([lower], losses(0.1)).rules[0]?.result).toBe('pass');
    expect(judgeGate([lower], losses(0.2)).rules[0]?.result).toBe('fail');
    const alone = (bound: number) =>
      judgeGate([atLeast('exactMatch', bound, { confident: true })], beside(0.84, 1, [0, 0]));
    expect([alone(0.81).passed, alone(0.82).passed]).toEqual([true, false]);
    expect(alone(0.82).rules[0]?.explanation).toBe('exactMatch is 0.84 (interval 0.81 to 0.87), reaching below 0.82.');
    const most = (bound: number) =>
      judgeGate([atMost('exactMatch', bound, { confident: true })], beside(0.84, 1, [0, 0]));
    expect([most(0.87).passed, most(0.86).passed]).toEqual([true, false]);
  });

  test('never passes confidently without an interval on enough samples', () => {
    const rule = notWorseThan('champion', 'exactMatch', { by: 0.01, confident: true, minSamples: 100 });
    const without = evidence({ exactMatch: reading(0.9) }, { exactMatch: reading(0.8) });
    expect(judgeGate([rule], without).rules[0]).toMatchObject({
      result: 'missing',
      explanation: 'The difference in exactMatch was not measured.',
    });
    const few = evidence(
      { exactMatch: { ...reading(0.9), difference: { value: 0.1, samples: 5, low: 0.1, high: 0.1 } } },
      { exactMatch: reading(0.8) },
    );
    expect(judgeGate([rule], few).rules[0]?.explanation).toContain('rests on 5 samples, and 100 are wanted');
    expect(judgeGate([atLeast('exactMatch', 0.1, { confident: true })], without).rules[0]?.result).toBe('missing');
  });

  test('says why a metric of the champion cannot be compared', () => {
    const units = evidence(
      { perplexity: reading(9) },
      { perplexity: { value: null, samples: 0, why: 'other tokens' } },
    );
    expect(judgeGate([notWorseThan('champion', 'perplexity', { by: 1 })], units).rules[0]).toMatchObject({
      result: 'missing',
      explanation: "The champion's perplexity has no value: other tokens.",
    });
    expect(notWorseThan('champion', 'bitsPerByte', { by: 0.1 }).higherIsBetter).toBe(false);
  });

  test('is not decided by floating-point noise', () => {
    const rules = [notWorseThan('champion', 'f1', { by: 0.01 })];
    expect(judgeGate(rules, evidence({ f1: reading(0.79) }, { f1: reading(0.8) })).passed).toBe(true);
    expect(judgeGate([atMost('loss', 0.3)], evidence({ loss: reading(0.1 + 0.2) })).passed).toBe(true);
  });
});

test('whatever it is given, the gate passes only when every rule that applies holds', () => {
  const value = fc.oneof(fc.double(), fc.constant(null));
  const metrics = fc.record({ a: fc.record({ value, samples: fc.nat({ max: 10 }) }) }, { requiredKeys: [] });
  const rule = fc.oneof(
    fc.record({ bound: fc.double(), minSamples: fc.nat({ max: 10 }) }).map((r) => atLeast('a', r.bound, r)),
    fc.double().map((bound) => atMost('a', bound)),
    fc.double({ min: 0 }).map((by) => notWorseThan('champion', 'a', { by })),
  );
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), metrics, fc.option(metrics), (rules, own, champion) => {
      const judged = judgeGate(rules, evidence(own, champion));
      const results = judged.rules.map(({ result }) => result);
      expect(judged.passed).toBe(
        results.includes('pass') && results.every((result) => result === 'pass' || result === 'not-applicable'),
      );
      if (judged.passed) expect(Number.isFinite(own.a?.value)).toBe(true);
    }),
  );
});
