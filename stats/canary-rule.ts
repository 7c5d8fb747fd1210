// What a canary's rules are and what a judged rule says. Plain data; imports nothing but shapes.

import type { Interval } from './intervals.js';
import type { Histogram } from './percentile.js';

/** One version's requests in a window. */
export interface Traffic {
  readonly requests: number;
  readonly errors: number;
  /** Requests whose users waited in vain for an answer to begin, and left; not among `requests`. None where left out. */
  readonly unanswered?: number;
  readonly latency: Histogram;
}

export interface ErrorRateRule {
  readonly kind: 'errorRate';
  /** Share of requests, 0 to 1. */
  readonly max?: number | undefined;
  /** Share of requests above the champion's, 0 to 1. */
  readonly maxIncrease?: number | undefined;
}

export interface LatencyRule {
  readonly kind: 'latency';
  /** 1 to 99.9. */
  readonly percentile: number;
  readonly maxMs?: number | undefined;
  /** Percent above the champion's. */
  readonly maxIncreasePercent?: number | undefined;
}

export type CanaryVerdict = 'pass' | 'fail' | 'inconclusive' | 'no-data';

export interface CanaryRuleOutcome {
  readonly name: string;
  readonly verdict: CanaryVerdict;
  readonly value: number | null;
  readonly baseline: number | null;
  readonly bound: number | null;
  readonly explanation: string;
}

/** Within the bound as a whole: pass; beyond it as a whole: fail; else nobody can say. */
export function placeInterval(
  interval: Pick<Interval, 'low' | 'high'>,
  bound: number,
): 'pass' | 'fail' | 'inconclusive' {
  if (interval.high <= bound) return 'pass';
  return interval.low > bound ? 'fail' : 'inconclusive';
}

export const verdictWords = {
  pass: 'within',
  fail: 'beyond',
  inconclusive: 'too close to',
} as const;
