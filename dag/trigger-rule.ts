// Airflow's twelve trigger rules, each a decision over how many upstream steps ended in which way.
// Pure, and imported by workflow code through the planner.

import type { TriggerRule } from './graph.js';

export interface UpstreamCounts {
  /** All of them, whether they have ended or not. */
  readonly upstream: number;
  readonly success: number;
  readonly skipped: number;
  /** Cancelled ones included. */
  readonly failed: number;
  readonly upstreamFailed: number;
}

export type TriggerVerdict = 'start' | 'skipped' | 'upstream_failed' | 'wait';

/**
 * What Airflow's TriggerRuleDep says, including what becomes of a step whose rule cannot be met any more. It differs in one
 * thing: a skip that a later failure could overrule (`all_success`) waits for that failure, so the order in which upstream
 * steps end does not change what a step ends as; Airflow decides by whichever its scheduler sees first.
 */
export function judgeTriggerRule(rule: TriggerRule, counts: UpstreamCounts): TriggerVerdict {
  const { upstream, success, skipped, failed, upstreamFailed } = counts;
  const failures = failed + upstreamFailed;
  const allDone = success + skipped + failures >= upstream;
  if (upstream === 0) return 'start';
  switch (rule) {
    case 'always':
      return 'start';
    case 'all_success':
      if (failures > 0) return 'upstream_failed';
      if (!allDone) return 'wait';
      return skipped > 0 ? 'skipped' : 'start';
    case 'all_failed':
      if (success + skipped > 0) return 'skipped';
      return allDone ? 'start' : 'wait';
    case 'all_done':
      return allDone ? 'start' : 'wait';
    case 'all_done_min_one_success':
      // Airflow's code, against its own page: one skipped upstream step skips this one.
      if (skipped > 0) return 'skipped';
      if (!allDone) return 'wait';
      return success > 0 ? 'start' : 'upstream_failed';
    case 'all_skipped':
      if (success + failures > 0) return 'skipped';
      return allDone ? 'start' : 'wait';
    case 'one_failed':
      if (failures > 0) return 'start';
      return allDone ? 'skipped' : 'wait';
    case 'one_success':
      if (success > 0) return 'start';
      if (!allDone) return 'wait';
      return skipped === upstream ? 'skipped' : 'upstream_failed';
    case 'one_done':
      // A step that never ran because of its own upstream is not done in this sense, nor is a skipped one.
      if (success + failed > 0) return 'start';
      return allDone ? 'skipped' : 'wait';
    case 'none_failed':
      if (failures > 0) return 'upstream_failed';
      return allDone ? 'start' : 'wait';
    case 'none_failed_min_one_success':
      if (failures > 0) return 'upstream_failed';
      if (!allDone) return 'wait';
      return success > 0 ? 'start' : 'skipped';
    case 'none_skipped':
      if (skipped > 0) return 'skipped';
      return allDone ? 'start' : 'wait';
  }
}
