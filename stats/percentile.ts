// Percentiles of a latency histogram, with the interval that the number of requests allows. Pure.

import type { Interval } from './intervals.js';

export interface Histogram {
  /** Upper bounds, rising; the last bucket has none. */
  readonly boundsMs: readonly number[];
  /** One more than there are bounds. */
  readonly counts: readonly number[];
}

export const histogramTotal = (histogram: Histogram): number => histogram.counts.reduce((sum, count) => sum + count, 0);

/**
 * The value below which `fraction` (0 to 1) of the entries lie, in milliseconds, linear within a bucket;
 * Infinity where it falls into the last bucket, which has no upper bound; undefined for an empty histogram.
 */
export function percentile(histogram: Histogram, fraction: number): number | undefined {
  const total = histogramTotal(histogram);
  if (total === 0) return undefined;
  const rank = Math.min(Math.max(fraction, 0), 1) * total;
  let below = 0;
  for (const [index, count] of histogram.counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const upper = histogram.boundsMs[index];
      if (upper === undefined) return Infinity;
      const lower = index === 0 ? 0 : (histogram.boundsMs[index - 1] ?? 0);
      return lower + ((upper - lower) * Math.max(rank - below, 0)) / count;
    }
    below += count;
  }
  return Infinity;
}

/**
 * A quantile with its distribution-free interval: the order statistics at n·p ± z·√(n·p·(1−p)).
 * Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2; Hahn and Meeker (1991), Statistical Intervals, section 5.2.
 * `high` is Infinity where n is too small for an upper end; undefined for an empty histogram.
 */
export function percentileInterval(histogram: Histogram, fraction: number, z: number): Interval | undefined {
  const total = histogramTotal(histogram);
  const lastBound = histogram.boundsMs.at(-1) ?? 0;
  const estimate = percentile(histogram, fraction);
  if (estimate === undefined) return undefined;
  const spread = z * Math.sqrt((fraction * (1 - fraction)) / total);
  const low = percentile(histogram, fraction - spread) ?? 0;
  const high = fraction + spread >= 1 ? Infinity : (percentile(histogram, fraction + spread) ?? Infinity);
  // An entry of the last bucket is at least its lower bound, and nothing more is known of it.
  return { estimate: Math.min(estimate, lastBound), low: Math.min(low, lastBound), high };
}

/** How many entries a quantile's interval needs to have an upper end at all: p + z·√(p(1−p)/n) < 1. */
export const entriesForPercentile = (fraction: number, z: number): number =>
  Math.floor((z * z * fraction) / (1 - fraction)) + 1;
