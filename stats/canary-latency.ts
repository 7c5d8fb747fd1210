// Judges a percentile of a challenger's latency, alone and against the champion's. Pure.

import type { CanaryRuleOutcome, LatencyRule, Traffic } from './canary-rule.js';
import { placeInterval, verdictWords } from './canary-rule.js';
import { entriesForPercentile, histogramTotal, percentileInterval, type QuantileInterval } from './percentile.js';

interface Pair {
  readonly challenger: Traffic;
  readonly champion: Traffic | undefined;
}

/** One outcome for each bound that the rule has; `z` is the normal quantile of the one-sided bounds. */
export function judgeLatency(rule: LatencyRule, pair: Pair, z: number): CanaryRuleOutcome[] {
  const outcomes: CanaryRuleOutcome[] = [];
  if (rule.maxMs !== undefined) outcomes.push(judgeAlone(rule.percentile, rule.maxMs, pair.challenger, z));
  if (rule.maxIncreasePercent !== undefined)
    outcomes.push(judgeIncrease(rule.percentile, rule.maxIncreasePercent, pair, z));
  return outcomes;
}

function judgeAlone(percentile: number, maxMs: number, challenger: Traffic, z: number): CanaryRuleOutcome {
  const interval = percentileInterval(challenger.latency, percentile / 100, z);
  const shared = { name: `p${percentile} ≤ ${ms(maxMs)}`, baseline: null, bound: maxMs };
  if (interval === undefined)
    return { ...shared, verdict: 'no-data', value: null, explanation: `p${percentile}: no latencies were measured.` };
  const place = placeInterval(interval, maxMs);
  const few = tooFew(percentile, z, [challenger]);
  if (place === 'inconclusive' && few !== undefined)
    return { ...shared, verdict: 'no-data', value: interval.estimate, explanation: few };
  return {
    ...shared,
    verdict: place,
    value: interval.estimate,
    explanation:
      `p${percentile} is ${ms(interval.estimate)} (between ${ms(interval.low)} and ${ms(interval.high)}), ` +
      `${verdictWords[place]} the bound of ${ms(maxMs)}.`,
  };
}

function judgeIncrease(percentile: number, maxPercent: number, pair: Pair, z: number): CanaryRuleOutcome {
  const fraction = percentile / 100;
  const challenger = percentileInterval(pair.challenger.latency, fraction, z);
  const champion = pair.champion === undefined ? undefined : percentileInterval(pair.champion.latency, fraction, z);
  const shared = {
    name: `p${percentile} at most ${maxPercent} % above the champion's`,
    value: challenger?.estimate ?? null,
    baseline: champion?.estimate ?? null,
    bound: maxPercent,
  };
  if (challenger === undefined || champion === undefined || pair.champion === undefined)
    return {
      ...shared,
      verdict: 'no-data',
      explanation: `p${percentile}: ${challenger === undefined ? 'the challenger' : 'the champion'} has had no requests.`,
    };
  const ratio = ratioInterval(challenger, champion);
  const place = placeInterval(ratio, 1 + maxPercent / 100);
  const few = tooFew(percentile, z, [pair.challenger, pair.champion]);
  if (place === 'inconclusive' && few !== undefined) return { ...shared, verdict: 'no-data', explanation: few };
  return {
    ...shared,
    verdict: place,
    explanation:
      `p${percentile} is ${ms(challenger.estimate)} against the champion's ${ms(champion.estimate)}: ` +
      `the increase lies between ${asPercent(ratio.low)} and ${asPercent(ratio.high)}, ` +
      `${verdictWords[place]} the bound of ${maxPercent} %.`,
  };
}

function tooFew(percentile: number, z: number, sides: readonly Traffic[]): string | undefined {
  const needed = entriesForPercentile(percentile / 100, z);
  const fewest = Math.min(...sides.map(({ latency }) => histogramTotal(latency)));
  return fewest < needed ? `p${percentile} takes ${needed} requests to judge, and there were ${fewest}.` : undefined;
}

/**
 * The interval of `left / right`, recovered on the logarithmic scale. Zou and Donner (2008), section 2. Each end is the worst
 * of all samples that fill the buckets so: it is a monotone function of the quantiles and of their intervals' ends.
 */
function ratioInterval(
  left: QuantileInterval,
  right: QuantileInterval,
): { readonly low: number; readonly high: number } {
  const [over, under] = [logOf(left), logOf(right)];
  const down = Math.hypot(gap(over.from, over.low), gap(under.high, under.to));
  const up = Math.hypot(gap(over.high, over.to), gap(under.from, under.low));
  return { low: Math.exp(over.from - under.to - down), high: Math.exp(over.to - under.from + up) };
}

/** Nothing between two ends that are both unknown. */
const gap = (upper: number, lower: number): number => (upper === lower ? 0 : upper - lower);

/** A tenth of a microsecond stands for zero, which has no logarithm. */
const log = (value: number): number => Math.log(Math.max(value, 1e-4));
const logOf = ({ from, to, low, high }: QuantileInterval) => ({
  from: log(from),
  to: log(to),
  low: log(low),
  high: log(high),
});

const ms = (value: number): string => (value === Infinity ? 'unknown' : `${Number(value.toPrecision(3))} ms`);
const asPercent = (ratio: number): string =>
  ratio === Infinity ? 'unknown' : `${Number(((ratio - 1) * 100).toPrecision(3))} %`;
