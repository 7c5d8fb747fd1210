// Percentiles of a latency histogram, with the interval that the number of requests allows. Pure.

import type { Interval } from './intervals.js';

export interface Histogram {
  /** Upper bounds, rising; the last bucket has none. */
  readonly boundsMs: readonly number[];
  /** One more than there are bounds. */
  readonly counts: readonly number[];
}

export const histogramTotal = (histogram: Histogram): number => histogram.counts.reduce((sum, count) => sum + count, 0);

/** Where the entry of a rank lies: in which bucket, above `from` and at most at `to`. */
interface Place {
  readonly from: number;
  readonly to: number;
  /** Of the bucket's entries, how many there are up to this rank. */
  readonly share: number;
}

/** `rank` counts from 1 and is rounded up; undefined for an empty histogram. */
function placeOf(histogram: Histogram, rank: number): Place | undefined {
  let below = 0;
  for (const [index, count] of histogram.counts.entries()) {
    if (count > 0 && below + count >= rank)
      return {
        from: index === 0 ? 0 : (histogram.boundsMs[index - 1] ?? 0),
        to: histogram.boundsMs[index] ?? Infinity,
        share: Math.max(rank - below, 0) / count,
      };
    below += count;
  }
  return undefined;
}

/**
 * The value below which `fraction` (0 to 1) of the entries lie, in milliseconds, linear within a bucket;
 * Infinity where it falls into the last bucket, which has no upper bound; undefined for an empty histogram.
 */
export function percentile(histogram: Histogram, fraction: number): number | undefined {
  const place = placeOf(histogram, Math.min(Math.max(fraction, 0), 1) * histogramTotal(histogram));
  if (place === undefined || place.to === Infinity) return place?.to;
  return place.from + (place.to - place.from) * place.share;
}

/** All that a histogram tells of a quantile: its buckets' width is part of what is not known. */
export interface QuantileInterval extends Interval {
  /** The sample's own quantile lies above `from` and is at most `to`; `estimate` is a guess between them. */
  readonly from: number;
  readonly to: number;
}

/**
 * A quantile with its distribution-free interval: the order statistics at n·p ± z·√(n·p·(1−p)), each taken for the end of its
 * bucket that makes the interval wider.
 * Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2; Hahn and Meeker (1991), Statistical Intervals, section 5.2.
 * `low` is 0 and `high` is Infinity where n is too small for that end; undefined for an empty histogram.
 */
export function percentileInterval(histogram: Histogram, fraction: number, z: number): QuantileInterval | undefined {
  const total = histogramTotal(histogram);
  const place = placeOf(histogram, fraction * total);
  const estimate = percentile(histogram, fraction);
  if (place === undefined || estimate === undefined) return undefined;
  const spread = z * Math.sqrt((fraction * (1 - fraction)) / total);
  const low = fraction - spread <= 0 ? undefined : placeOf(histogram, (fraction - spread) * total);
  const high = fraction + spread >= 1 ? undefined : placeOf(histogram, (fraction + spread) * total);
  return {
    estimate: Math.min(estimate, histogram.boundsMs.at(-1) ?? 0),
    from: place.from,
    to: place.to,
    low: low?.from ?? 0,
    high: high?.to ?? Infinity,
  };
}

/** How many entries a quantile's interval needs to have an upper end at all: p + z·√(p(1−p)/n) < 1. */
export const entriesForPercentile = (fraction: number, z: number): number =>
  Math.floor((z * z * fraction) / (1 - fraction)) + 1;
