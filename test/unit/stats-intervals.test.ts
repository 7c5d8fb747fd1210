import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newcombeInterval, trialsToRuleOut, wilsonInterval, zOneSided95, zTwoSided95 } from '../../stats/intervals.js';
import { entriesForPercentile, percentile, percentileInterval } from '../../stats/percentile.js';

// Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
describe('Wilson', () => {
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i is between %f and %f as published', (hits, trials, low, high) => {
    const interval = wilsonInterval(hits, trials, zTwoSided95);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });
});

// Newcombe (1998), Statistics in Medicine 17:873, table II, method 10.
describe('Newcombe', () => {
  test.each([
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [0, 10, 0, 10, -0.2775, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
    [10, 10, 0, 10, 0.6075, 1],
  ])('%i/%i − %i/%i is between the published ends', (...row) => {
    const [hits, trials, otherHits, otherTrials, low, high] = row;
    const interval = newcombeInterval({ hits, trials }, { hits: otherHits, trials: otherTrials }, zTwoSided95);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });
});

const proportion = fc
  .integer({ min: 1, max: 5000 })
  .chain((trials) => fc.integer({ min: 0, max: trials }).map((hits) => ({ hits, trials })));

test('an interval holds its estimate and stays a proportion', () => {
  fc.assert(
    fc.property(proportion, ({ hits, trials }) => {
      const { estimate, low, high } = wilsonInterval(hits, trials, zOneSided95);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
      expect(low).toBeLessThanOrEqual(estimate);
      expect(high).toBeGreaterThanOrEqual(estimate);
    }),
  );
});

test('swapping the sides turns the difference round', () => {
  fc.assert(
    fc.property(proportion, proportion, (left, right) => {
      const one = newcombeInterval(left, right, zOneSided95);
      const other = newcombeInterval(right, left, zOneSided95);
      expect(one.low).toBeCloseTo(-other.high, 10);
      expect(one.high).toBeCloseTo(-other.low, 10);
    }),
  );
});

test('the number of trials that can rule a rate out is exactly the first that does', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.0005, max: 0.5, noNaN: true }), (bound) => {
      const trials = trialsToRuleOut(bound, zOneSided95);
      expect(wilsonInterval(0, trials, zOneSided95).high).toBeLessThanOrEqual(bound * (1 + 1e-9));
      if (trials > 1) expect(wilsonInterval(0, trials - 1, zOneSided95).high).toBeGreaterThan(bound);
    }),
  );
});

describe('percentiles', () => {
  const histogram = { boundsMs: [10, 20, 50], counts: [50, 30, 20, 0] };

  test('are linear within a bucket', () => {
    expect(percentile(histogram, 0.25)).toBe(5);
    expect(percentile(histogram, 0.5)).toBe(10);
    expect(percentile(histogram, 0.65)).toBe(15);
    expect(percentile(histogram, 1)).toBe(50);
  });

  test('are unknown in the last bucket and for no entries', () => {
    expect(percentile({ boundsMs: [10], counts: [1, 9] }, 0.5)).toBe(Infinity);
    expect(percentile({ boundsMs: [10], counts: [0, 0] }, 0.5)).toBeUndefined();
  });

  test('rise with the fraction and lie within their own interval', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 4, maxLength: 4 });
    const fraction = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(counts, fraction, fraction, (list, one, other) => {
        fc.pre(list.some((count) => count > 0));
        const drawn = { boundsMs: [10, 20, 50], counts: list };
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(percentile(drawn, low)).toBeLessThanOrEqual(percentile(drawn, high) ?? 0);
        const interval = percentileInterval(drawn, one, zOneSided95);
        expect(interval?.low).toBeLessThanOrEqual(interval?.estimate ?? -1);
        expect(interval?.high).toBeGreaterThanOrEqual(interval?.estimate ?? Infinity);
      }),
    );
  });

  test('of a sample, and the ends of their interval, lie where the histogram of the sample says', () => {
    const sample = fc.array(fc.double({ min: 0.1, max: 120, noNaN: true }), { minLength: 1, maxLength: 400 });
    const boundsMs = [1, 5, 10, 12, 20, 50, 100];
    const bucketOf = (value: number) => boundsMs.concat(Infinity).findIndex((bound) => value <= bound);
    fc.assert(
      fc.property(sample, fc.double({ min: 0.5, max: 0.999, noNaN: true }), (values, fraction) => {
        const counts = boundsMs.map(() => 0).concat(0);
        for (const value of values) counts[bucketOf(value)] = (counts[bucketOf(value)] ?? 0) + 1;
        const told = percentileInterval({ boundsMs, counts }, fraction, zOneSided95);
        const sorted = values.toSorted((left, right) => left - right);
        const at = (rank: number) =>
          sorted[Math.min(Math.max(Math.ceil(rank * sorted.length), 1), sorted.length) - 1] ?? 0;
        const spread = zOneSided95 * Math.sqrt((fraction * (1 - fraction)) / sorted.length);
        expect(at(fraction)).toBeGreaterThan(told?.from ?? Infinity);
        expect(at(fraction)).toBeLessThanOrEqual(told?.to ?? 0);
        expect(at(fraction - spread)).toBeGreaterThan(told?.low ?? Infinity);
        expect(fraction + spread >= 1 ? Infinity : at(fraction + spread)).toBeLessThanOrEqual(told?.high ?? 0);
      }),
    );
  });

  test('have an upper end from the stated number of entries on', () => {
    const needed = entriesForPercentile(0.99, zOneSided95);
    const of = (total: number) => percentileInterval({ boundsMs: [10, 20], counts: [total, 0, 0] }, 0.99, zOneSided95);
    expect(of(needed)?.high).toBeLessThanOrEqual(10);
    expect(of(needed - 1)?.high).toBe(Infinity);
  });
});
