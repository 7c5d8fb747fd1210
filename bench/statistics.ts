// What a set of samples says: medians and quartiles, and the ratio of two sides that took turns. Pure.

export interface Spread {
  readonly median: number;
  /** Lower and upper quartile. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** Linear between the samples around the rank `fraction · (n − 1)` (type 7 of Hyndman and Fan, 1996). Throws RangeError for none. */
export function quantile(samples: readonly number[], fraction: number): number {
  const sorted = [...samples].sort((left, right) => left - right);
  const rank = fraction * (sorted.length - 1);
  const below = sorted[Math.floor(rank)];
  const above = sorted[Math.ceil(rank)];
  if (below === undefined || above === undefined) throw new RangeError('a quantile of no samples');
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Median and quartiles. Throws RangeError for no samples. */
export const spreadOf = (samples: readonly number[]): Spread => ({
  median: quantile(samples, 0.5),
  low: quantile(samples, 0.25),
  high: quantile(samples, 0.75),
  samples: samples.length,
});

/**
 * What `ours` is to `theirs`, round by round, so that whatever slows the machine down for a while weighs on both sides of a
 * quotient. Throws RangeError where the rounds do not match, or there are none.
 */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return pairwise(ours, theirs, (our, their) => our / their);
}

/** How much `ours` is above `theirs`, round by round. Throws as `ratioOf`. */
export function differenceOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return pairwise(ours, theirs, (our, their) => our - their);
}

function pairwise(
  ours: readonly number[],
  theirs: readonly number[],
  compare: (our: number, their: number) => number,
): Spread {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} rounds of one side against ${theirs.length} of the other`);
  return spreadOf(ours.map((our, round) => compare(our, theirs[round] ?? NaN)));
}
