// Finds a challenger that hangs: its users leave before an answer begins, and what it does answer looks as good as ever. Pure.

import type { CanaryRuleOutcome, Traffic } from './canary-rule.js';
import { newcombeInterval } from './intervals.js';

/** How much more often its users may leave: one request in a hundred, or a quarter of what the champion's do. */
const leastAllowed = 0.01;
const allowedOfChampions = 0.25;

/**
 * The failure of a challenger whose users leave unanswered more often than the champion's; undefined where nothing shows it.
 * It only ever speaks against a challenger: users leave for reasons of their own, so they never have to be ruled out.
 */
export function judgeUnanswered(
  pair: { readonly challenger: Traffic; readonly champion: Traffic | undefined },
  z: number,
): CanaryRuleOutcome | undefined {
  const [own, champions] = [leaversOf(pair.challenger), leaversOf(pair.champion)];
  if (own.trials === 0 || champions.trials === 0) return undefined;
  const baseline = champions.hits / champions.trials;
  const bound = Math.max(leastAllowed, allowedOfChampions * baseline);
  const { low } = newcombeInterval(own, champions, z);
  if (low <= bound) return undefined;
  return {
    name: `users left unanswered at most ${percent(bound)} more often than the champion's`,
    verdict: 'fail',
    value: own.hits / own.trials,
    baseline,
    bound,
    explanation:
      `${own.hits} of ${own.trials} users left before an answer began, against ${champions.hits} of the champion's ` +
      `${champions.trials}: the increase is at least ${percent(low)}, beyond the bound of ${percent(bound)}.`,
  };
}

const leaversOf = (traffic: Traffic | undefined) => {
  const { requests = 0, unanswered = 0 } = traffic ?? {};
  return { hits: unanswered, trials: requests + unanswered };
};

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
