import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { latencyBoundsMs, latencyBucket } from '../../gateway/measurement.js';
import { errorRate, judgeCanary, latency } from '../../stats/canary.js';
import type { CanaryRule } from '../../stats/canary.js';
import type { Traffic } from '../../stats/canary-rule.js';

const boundsMs = [10, 20, 50, 100, 200, 500, 1000];
const countsOf = (latenciesMs: readonly number[]): number[] => {
  const counts = latencyBoundsMs.map(() => 0).concat(0);
  for (const latencyMs of latenciesMs) counts[latencyBucket(latencyMs)] = (counts[latencyBucket(latencyMs)] ?? 0) + 1;
  return counts;
};
const traffic = (requests: number, errors: number, bucket = 2): Traffic => ({
  requests,
  errors,
  latency: { boundsMs, counts: boundsMs.concat(0).map((_, index) => (index === bucket ? requests : 0)) },
});
/** Requests that all took as long, as a gateway counts them. */
const lasting = (requests: number, latencyMs: number): Traffic => ({
  requests,
  errors: 0,
  latency: { boundsMs: latencyBoundsMs, counts: countsOf(new Array<number>(requests).fill(latencyMs)) },
});
const judge = (
  rules: readonly CanaryRule[],
  challenger: Traffic | undefined,
  options: { champion?: Traffic; minRequests?: number; due?: boolean } = {},
) =>
  judgeCanary({
    rules,
    challenger,
    champion: options.champion,
    minRequests: options.minRequests ?? 100,
    due: options.due ?? true,
  });
const increase = [errorRate({ maxIncrease: 0.02 })];

describe('a canary', () => {
  test('passes when the whole interval lies within the bound', () => {
    const { verdict, summary } = judge(increase, traffic(1000, 5), { champion: traffic(9000, 45) });
    expect(verdict).toBe('pass');
    expect(summary).toContain('5 of 1000 requests failed');
  });

  test('fails when the whole interval lies beyond it', () => {
    expect(judge(increase, traffic(1000, 80), { champion: traffic(9000, 45) }).verdict).toBe('fail');
  });

  test('is inconclusive when the interval straddles the bound', () => {
    expect(judge(increase, traffic(1000, 25), { champion: traffic(9000, 45) }).verdict).toBe('inconclusive');
  });

  test('has no data without requests, with too few, and without a champion to compare with', () => {
    expect(judge(increase, undefined).verdict).toBe('no-data');
    expect(judge(increase, traffic(0, 0)).verdict).toBe('no-data');
    expect(judge(increase, traffic(99, 0), { champion: traffic(9000, 0) }).verdict).toBe('no-data');
    expect(judge(increase, traffic(5000, 0)).verdict).toBe('no-data');
  });

  test('has no data while not even a spotless record could rule the bound out', () => {
    const tight = [errorRate({ max: 0.001 })];
    const { verdict, summary } = judge(tight, traffic(500, 0));
    expect(verdict).toBe('no-data');
    expect(summary).toContain('takes 2703 requests');
    expect(judge(tight, traffic(2703, 0)).verdict).toBe('pass');
  });

  test('fails early on overwhelming evidence, long before enough requests', () => {
    const early = { champion: traffic(200, 0), due: false, minRequests: 1000 };
    expect(judge(increase, traffic(12, 12), early).verdict).toBe('fail');
  });

  test('does not fail early on a single bad answer', () => {
    const early = { champion: traffic(200, 0), due: false, minRequests: 1000 };
    expect(judge(increase, traffic(1, 1), early).verdict).toBe('no-data');
  });

  test('never passes before its step is over', () => {
    expect(judge(increase, traffic(50_000, 0), { champion: traffic(50_000, 0), due: false }).verdict).toBe('no-data');
  });

  test('is judged by its worst rule', () => {
    const rules = [errorRate({ max: 0.05 }), latency({ percentile: 95, maxMs: 50 })];
    expect(judge(rules, traffic(1000, 0, 5)).verdict).toBe('fail');
    expect(judge(rules, traffic(1000, 0, 1)).verdict).toBe('pass');
  });

  test('without rules is never promoted', () => {
    expect(judge([], traffic(10_000, 0)).verdict).toBe('no-data');
  });
});

describe('latency', () => {
  test('is compared with the champion as a ratio', () => {
    const rule = [latency({ percentile: 95, maxIncreasePercent: 20 })];
    expect(judge(rule, lasting(2000, 100), { champion: lasting(2000, 100) }).verdict).toBe('pass');
    expect(judge(rule, lasting(2000, 130), { champion: lasting(2000, 100) }).verdict).toBe('fail');
    expect(judge(rule, lasting(2000, 100)).verdict).toBe('no-data');
  });

  test('is not told more exactly than the buckets hold it', () => {
    const rule = [latency({ percentile: 95, maxIncreasePercent: 20 })];
    // Between 20 and 50 ms both, so one may take twice as long as the other.
    expect(judge(rule, traffic(2000, 0, 2), { champion: traffic(2000, 0, 2) }).verdict).toBe('inconclusive');
    const alone = [latency({ percentile: 95, maxMs: 30 })];
    expect(judge(alone, traffic(2000, 0, 2)).verdict).toBe('inconclusive');
  });

  test('that may hardly increase is not passed, since the buckets cannot show it', () => {
    const of = (maxIncreasePercent: number) => [latency({ percentile: 95, maxIncreasePercent })];
    expect(judge(of(4), lasting(2000, 100), { champion: lasting(2000, 100) }).verdict).toBe('inconclusive');
    expect(judge(of(5), lasting(2000, 100), { champion: lasting(2000, 100) }).verdict).toBe('pass');
  });

  test('of two constant ones is never certainly wrong, and is decided a little away from the bound', () => {
    const latencyMs = fc.double({ min: 1, max: 100_000, noNaN: true });
    const ratio = fc.double({ min: 0.5, max: 2, noNaN: true });
    fc.assert(
      fc.property(latencyMs, ratio, fc.constantFrom(10, 20, 50), (ofChampionMs, times, maxIncreasePercent) => {
        for (const percentile of [50, 95]) {
          const rule = [latency({ percentile, maxIncreasePercent })];
          const { verdict } = judge(rule, lasting(5000, ofChampionMs * times), {
            champion: lasting(5000, ofChampionMs),
          });
          const away = times / (1 + maxIncreasePercent / 100);
          if (verdict === 'pass') expect(away).toBeLessThanOrEqual(1);
          if (verdict === 'fail') expect(away).toBeGreaterThan(1);
          if (away < 0.91 || away > 1.1) expect(verdict).toBe(away < 1 ? 'pass' : 'fail');
        }
      }),
    );
  });

  test('of a percentile that takes more requests than there were is no data', () => {
    const { verdict, summary } = judge([latency({ percentile: 99, maxMs: 100 })], traffic(200, 0, 1));
    expect(verdict).toBe('no-data');
    expect(summary).toContain('takes 268 requests');
  });

  test('beyond the last bucket never passes', () => {
    expect(judge([latency({ percentile: 95, maxMs: 5000 })], traffic(2000, 0, 7)).verdict).not.toBe('pass');
  });
});

describe('users who leave before an answer begins', () => {
  const left = (unanswered: number, of: Traffic): Traffic => ({ ...of, unanswered });

  test('fail a challenger that hangs, however well it answers the others', () => {
    const options = { champion: left(20, traffic(9000, 45)) };
    const { verdict, summary } = judge(increase, left(60, traffic(1000, 5)), options);
    expect(verdict).toBe('fail');
    expect(summary).toContain('60 of 1060');
    expect(judge(increase, left(60, traffic(1000, 5)), { ...options, due: false }).verdict).toBe('fail');
  });

  test('fail a challenger that answers nobody, before it has had a single request', () => {
    const champion = traffic(200, 0);
    expect(judge(increase, left(12, traffic(0, 0)), { champion, due: false }).verdict).toBe('fail');
    expect(judge(increase, left(4, traffic(0, 0)), { champion, due: false }).verdict).toBe('no-data');
  });

  test('speak against nobody whose users leave as often as the champion’s', () => {
    const options = { champion: left(6000, traffic(9000, 45)) };
    expect(judge(increase, left(680, traffic(1000, 5)), options).verdict).toBe('pass');
    expect(judge(increase, left(1500, traffic(1000, 5)), options).verdict).toBe('fail');
  });

  test('say nothing where the champion’s cannot be compared with', () => {
    const { verdict } = judge([errorRate({ max: 0.05 })], left(60, traffic(1000, 5)), { champion: traffic(0, 0) });
    expect(verdict).toBe('pass');
    expect(judge([errorRate({ max: 0.05 })], left(60, traffic(1000, 5))).verdict).toBe('pass');
  });

  test('are rarely more than chance allows where both are as good', () => {
    let seed = 20_260_903;
    const random = () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const leavers = (requests: number) => Array.from({ length: requests }).filter(() => random() < 0.1).length;
    const alarms = Array.from({ length: 400 }).filter(() => {
      const [own, others] = [leavers(400), leavers(3_600)];
      const champion = left(others, traffic(3_600 - others, 0));
      return judge(increase, left(own, traffic(400 - own, 0)), { champion }).verdict === 'fail';
    });
    expect(alarms.length / 400).toBeLessThan(0.02);
  });
});

test('a rule without a bound is refused', () => {
  expect(() => errorRate({})).toThrow('errorRate needs max');
  expect(() => latency({ percentile: 95 })).toThrow('latency needs maxMs');
});

test('more errors never make a verdict better', () => {
  const rank = { fail: 0, 'no-data': 1, inconclusive: 2, pass: 3 };
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 3000 }),
      fc.nat({ max: 100 }),
      fc.nat({ max: 100 }),
      (requests, errors, more) => {
        const champion = traffic(5000, 50);
        const fewer = judge(increase, traffic(requests, Math.min(errors, requests)), { champion });
        const greater = judge(increase, traffic(requests, Math.min(errors + more, requests)), { champion });
        // "no data" is said of a spotless record that is too short: an error turns it into a close call or a fail.
        if (fewer.verdict === 'no-data') return;
        expect(rank[greater.verdict]).toBeLessThanOrEqual(rank[fewer.verdict]);
      },
    ),
  );
});

test('a challenger that is as good as the champion is rarely called worse by looking often', () => {
  // 400 trials with 50 early looks each at equal error rates of 2 %; a fixed seed, since the claim is about a share.
  let seed = 20_260_901;
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  const rules = [errorRate({ maxIncrease: 0 })];
  let falseAlarms = 0;
  for (let trial = 0; trial < 400; trial++) {
    let [errors, championErrors] = [0, 0];
    for (let look = 1; look <= 50; look++) {
      for (let request = 0; request < 20; request++) {
        if (random() < 0.02) errors++;
        if (random() < 0.02) championErrors++;
      }
      const seen = judge(rules, traffic(look * 20, errors), {
        champion: traffic(look * 20, championErrors),
        due: false,
      });
      if (seen.verdict === 'fail') {
        falseAlarms++;
        break;
      }
    }
  }
  expect(falseAlarms / 400).toBeLessThan(0.02);
});
