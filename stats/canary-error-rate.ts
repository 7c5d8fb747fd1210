// Judges a challenger's share of failed requests, alone and against the champion's. Pure.

import type { CanaryRuleOutcome, ErrorRateRule, Traffic } from './canary-rule.js';
import { placeInterval, verdictWords } from './canary-rule.js';
import type { Interval } from './intervals.js';
import { newcombeInterval, trialsToRuleOut, wilsonInterval } from './intervals.js';

interface Pair {
  readonly challenger: Traffic;
  readonly champion: Traffic | undefined;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** One outcome for each bound that the rule has; `z` is the normal quantile of the one-sided bounds. */
export function judgeErrorRate(rule: ErrorRateRule, pair: Pair, z: number): CanaryRuleOutcome[] {
  const outcomes: CanaryRuleOutcome[] = [];
  const { challenger, champion } = pair;
  const seen = `${challenger.errors} of ${challenger.requests} requests failed`;
  if (rule.max !== undefined) {
    const interval = wilsonInterval(challenger.errors, challenger.requests, z);
    outcomes.push(
      judged(`error rate ≤ ${percent(rule.max)}`, { interval, bound: rule.max, z, challenger, baseline: null }, seen),
    );
  }
  if (rule.maxIncrease !== undefined) {
    const name = `error rate at most ${percent(rule.maxIncrease)} above the champion's`;
    if (champion === undefined || champion.requests === 0)
      outcomes.push({
        name,
        verdict: 'no-data',
        value: challenger.errors / challenger.requests,
        baseline: null,
        bound: rule.maxIncrease,
        explanation: 'The champion has had no requests to compare with.',
      });
    else {
      const interval = newcombeInterval(
        { hits: challenger.errors, trials: challenger.requests },
        { hits: champion.errors, trials: champion.requests },
        z,
      );
      const baseline = champion.errors / champion.requests;
      const against = `${seen}, against ${champion.errors} of the champion's ${champion.requests}`;
      outcomes.push(judged(name, { interval, bound: rule.maxIncrease, z, challenger, baseline }, against));
    }
  }
  return outcomes;
}

interface Finding {
  readonly interval: Interval;
  readonly bound: number;
  readonly z: number;
  readonly challenger: Traffic;
  readonly baseline: number | null;
}

function judged(name: string, finding: Finding, seen: string): CanaryRuleOutcome {
  const { interval, bound, challenger } = finding;
  const needed = bound > 0 && bound < 1 ? trialsToRuleOut(bound, finding.z) : 0;
  const place = placeInterval(interval, bound);
  const shared = { name, value: challenger.errors / challenger.requests, baseline: finding.baseline, bound };
  // With so few requests not even a spotless record could pass: that is too little data, not a close call.
  if (place === 'inconclusive' && challenger.requests < needed)
    return {
      ...shared,
      verdict: 'no-data',
      explanation: `${seen}; ruling out ${percent(bound)} takes ${needed} requests even without an error.`,
    };
  return {
    ...shared,
    verdict: place,
    explanation:
      `${seen}: ${finding.baseline === null ? 'the rate' : 'the increase'} lies between ${percent(interval.low)} and ` +
      `${percent(interval.high)}, ${verdictWords[place]} the bound of ${percent(bound)}.`,
  };
}
