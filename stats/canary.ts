// The canary's verdict: pass, fail, inconclusive or no-data, from what the challenger and the champion did in the same window.
// A pass is a non-inferiority test: the whole interval must lie within the bound, so silence and luck never promote. Pure.

import { judgeErrorRate } from './canary-error-rate.js';
import { judgeLatency } from './canary-latency.js';
import { judgeUnanswered } from './canary-unanswered.js';
import type { CanaryRuleOutcome, CanaryVerdict, ErrorRateRule, LatencyRule, Traffic } from './canary-rule.js';
import { zEarlyLook, zOneSided95 } from './intervals.js';

export type CanaryRule = ErrorRateRule | LatencyRule;

/** Bounds the share of failed requests (0 to 1): `max` alone, `maxIncrease` above the champion's. */
export function errorRate(bounds: { max?: number; maxIncrease?: number }): ErrorRateRule {
  if (bounds.max === undefined && bounds.maxIncrease === undefined)
    throw new Error('errorRate needs max, maxIncrease or both: errorRate({ maxIncrease: 0.01 }).');
  return { kind: 'errorRate', ...bounds };
}

/**
 * Bounds a latency percentile (1 to 99.9): `maxMs` alone, `maxIncreasePercent` above the champion's. Gateways tell latencies
 * apart to less than 5 %, so that a smaller increase cannot be ruled out.
 */
export function latency(bounds: { percentile: number; maxMs?: number; maxIncreasePercent?: number }): LatencyRule {
  if (bounds.maxMs === undefined && bounds.maxIncreasePercent === undefined)
    throw new Error('latency needs maxMs, maxIncreasePercent or both: latency({ percentile: 95, maxMs: 800 }).');
  return { kind: 'latency', ...bounds };
}

export interface CanaryEvidence {
  readonly rules: readonly CanaryRule[];
  /** Fewer requests to the challenger than this never pass. */
  readonly minRequests: number;
  /** undefined: nobody has watched it. */
  readonly challenger: Traffic | undefined;
  readonly champion: Traffic | undefined;
  /**
   * Whether the verdict is due: the step has lasted as long as it should. Before that only overwhelming evidence counts
   * (see zEarlyLook), and only against the challenger.
   */
  readonly due: boolean;
}

export interface CanaryJudgement {
  readonly verdict: CanaryVerdict;
  readonly rules: readonly CanaryRuleOutcome[];
  /** One sentence. */
  readonly summary: string;
}

/** A single bad answer is never overwhelming, however small the sample. */
const minErrorsForEarlyFail = 5;
const minUnansweredForEarlyFail = 5;
const minRequestsForEarlyLatency = 30;

const worstFirst: readonly CanaryVerdict[] = ['fail', 'no-data', 'inconclusive', 'pass'];

/**
 * Judges a challenger. After enough requests in a step that is due: one-sided 95 % bounds; before: p < 0.0005, to fail only.
 * The worst rule decides; too little data outranks "inconclusive", since it cannot be told apart from it yet. Whatever the
 * rules, a challenger fails whose users leave unanswered more often than the champion's.
 */
export function judgeCanary(evidence: CanaryEvidence): CanaryJudgement {
  const { challenger, champion } = evidence;
  const early = challenger === undefined ? [] : failsEarly(evidence, challenger);
  if (early.length > 0)
    return { verdict: 'fail', rules: early, summary: early.map(({ explanation }) => explanation).join(' ') };
  if (challenger === undefined || challenger.requests === 0)
    return { verdict: 'no-data', rules: [], summary: 'The challenger has had no requests.' };

  const enough = challenger.requests >= evidence.minRequests;
  const hangs = judgeUnanswered({ challenger, champion }, zOneSided95);
  const judged = [...judgeRules(evidence, challenger, zOneSided95), ...(hangs === undefined ? [] : [hangs])];
  if (!enough || !evidence.due) {
    const summary = enough
      ? `Nothing speaks against the challenger after ${challenger.requests} requests; the step is not over yet.`
      : `The challenger has had ${challenger.requests} of the ${evidence.minRequests} requests that a verdict needs.`;
    return { verdict: 'no-data', rules: judged.map((outcome) => ({ ...outcome, verdict: 'no-data' })), summary };
  }
  const verdict = worstFirst.find((name) => judged.some((outcome) => outcome.verdict === name)) ?? 'no-data';
  const telling = judged.filter((outcome) => outcome.verdict === verdict);
  return {
    verdict,
    rules: judged,
    summary:
      judged.length === 0
        ? 'There are no rules to judge the challenger by.'
        : telling.map(({ explanation }) => explanation).join(' '),
  };
}

function failsEarly(evidence: CanaryEvidence, challenger: Traffic): CanaryRuleOutcome[] {
  const hangs =
    (challenger.unanswered ?? 0) < minUnansweredForEarlyFail
      ? undefined
      : judgeUnanswered({ challenger, champion: evidence.champion }, zEarlyLook);
  if (hangs !== undefined) return [hangs];
  if (challenger.requests === 0) return [];
  return judgeRules(evidence, challenger, zEarlyLook).filter(
    ({ rule, verdict }) =>
      verdict === 'fail' &&
      (rule.kind === 'errorRate'
        ? challenger.errors >= minErrorsForEarlyFail
        : challenger.requests >= minRequestsForEarlyLatency),
  );
}

const judgeRules = (
  { rules, champion }: CanaryEvidence,
  challenger: Traffic,
  z: number,
): (CanaryRuleOutcome & { readonly rule: CanaryRule })[] =>
  rules.flatMap((rule) =>
    (rule.kind === 'errorRate'
      ? judgeErrorRate(rule, { challenger, champion }, z)
      : judgeLatency(rule, { challenger, champion }, z)
    ).map((outcome) => ({ ...outcome, rule })),
  );
