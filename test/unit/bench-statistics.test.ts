// The statistics by which Pawl is compared with its peers.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differenceOf, quantile, ratioOf, spreadOf } from '../../bench/statistics.js';
import { takeTurns } from '../../bench/take-turns.js';

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 });

describe('quantile', () => {
  test('is the middle sample, or the mean of the two in the middle', () => {
    expect(quantile([9, 1, 5], 0.5)).toBe(5);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  });

  test('agrees with type 7 of Hyndman and Fan, worked out by hand', () => {
    // R: quantile(c(1, 2, 4, 8, 16), c(.1, .25, .9))
    expect(quantile([16, 8, 4, 2, 1], 0.1)).toBeCloseTo(1.4);
    expect(quantile([16, 8, 4, 2, 1], 0.25)).toBe(2);
    expect(quantile([16, 8, 4, 2, 1], 0.9)).toBeCloseTo(12.8);
  });

  test('of nothing is refused', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });

  test('lies between the extremes, and rises with the fraction', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, fraction) => {
        const at = quantile(values, fraction);
        expect(at).toBeGreaterThanOrEqual(Math.min(...values));
        expect(at).toBeLessThanOrEqual(Math.max(...values));
        expect(quantile(values, 1)).toBeGreaterThanOrEqual(at);
      }),
    );
  });

  test('leaves the samples as they were', () => {
    const values = [3, 1, 2];
    quantile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('a comparison', () => {
  test('divides round by round, so that a slow spell that hits both sides cancels out', () => {
    const theirs = [10, 10, 1000, 10];
    const ours = theirs.map((value) => value * 1.5);
    expect(ratioOf(ours, theirs)).toEqual({ median: 1.5, low: 1.5, high: 1.5, samples: 4 });
  });

  test('subtracts round by round', () => {
    expect(differenceOf([12, 112, 13], [10, 110, 10])).toMatchObject({ median: 2, low: 2, high: 2.5 });
  });

  test('refuses sides with different numbers of rounds', () => {
    expect(() => ratioOf([1, 2], [1])).toThrow('2 rounds of one side against 1 of the other');
  });

  test('spreads by the quartiles', () => {
    expect(spreadOf([1, 2, 3, 4, 5])).toEqual({ median: 3, low: 2, high: 4, samples: 5 });
  });
});

describe('taking turns', () => {
  const order: string[] = [];
  const side = (name: string) => async () => order.push(name);

  test('lets another side begin each round, and drops the warm-ups', async () => {
    order.length = 0;
    const taken = await takeTurns({ a: side('a'), b: side('b') }, { rounds: 3, warmUps: 1 });
    expect(order.join('')).toBe('abbaabba');
    // The order's length at each turn: that of the warm-up round, 1 and 2, is not among them.
    expect(taken).toEqual({ a: [4, 5, 8], b: [3, 6, 7] });
  });
});
