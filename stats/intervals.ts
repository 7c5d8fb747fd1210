// Confidence intervals for proportions, quantiles and differences: what lets a canary say "cannot tell" instead of guessing.
// Pure; imports nothing.

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** Normal quantile of a one-sided 95 % bound. */
export const zOneSided95 = 1.6448536269514722;

/** Normal quantile of a two-sided 95 % interval. */
export const zTwoSided95 = 1.959963984540054;

/**
 * Normal quantile for a look before its time: p < 0.0005 on one side, so that looking often hardly adds to the chance of
 * a false alarm. Haybittle (1971), British Journal of Radiology 44:793; Peto et al. (1976), British Journal of Cancer 34:585.
 */
export const zEarlyLook = 3.2905267314919255;

/**
 * Wilson's score interval for a proportion of `hits` in `trials`; 0 to 1 where there are no trials.
 * Wilson (1927), JASA 22:209; formula as in Newcombe (1998), Statistics in Medicine 17:857, method 3.
 */
export function wilsonInterval(hits: number, trials: number, z: number): Interval {
  if (trials === 0) return { estimate: 0, low: 0, high: 1 };
  const estimate = hits / trials;
  const square = z * z;
  const centre = estimate + square / (2 * trials);
  const spread = z * Math.sqrt((estimate * (1 - estimate)) / trials + square / (4 * trials * trials));
  const scale = 1 + square / trials;
  // The ends are exact at no hits and all hits; rounding must not push them past the estimate.
  const low = hits === 0 ? 0 : Math.min(estimate, (centre - spread) / scale);
  const high = hits === trials ? 1 : Math.max(estimate, (centre + spread) / scale);
  return { estimate, low, high };
}

/**
 * The interval of `left − right` from the intervals of both (method of variance estimates recovery).
 * Zou and Donner (2008), Statistics in Medicine 27:1693; with Wilson's intervals it is Newcombe's hybrid score method.
 */
function differenceInterval(left: Interval, right: Interval): Interval {
  const estimate = left.estimate - right.estimate;
  return {
    estimate,
    low: estimate - Math.hypot(left.estimate - left.low, right.high - right.estimate),
    high: estimate + Math.hypot(left.high - left.estimate, right.estimate - right.low),
  };
}

export interface Proportion {
  readonly hits: number;
  readonly trials: number;
}

/**
 * Newcombe's hybrid score interval for a difference of two independent proportions, `left − right`.
 * Newcombe (1998), Statistics in Medicine 17:873, method 10.
 */
export const newcombeInterval = (left: Proportion, right: Proportion, z: number): Interval =>
  differenceInterval(wilsonInterval(left.hits, left.trials, z), wilsonInterval(right.hits, right.trials, z));

/**
 * How many trials without a single hit it takes until Wilson's upper end is at most `bound` (0 < bound < 1):
 * z² / (n + z²) ≤ bound. With fewer, no result can show that a rate is below the bound.
 */
export const trialsToRuleOut = (bound: number, z: number): number => Math.ceil((z * z * (1 - bound)) / bound - 1e-9);
