// What a run comes to once its last step has ended.

import type { Admission } from '../../activities/engine/protocol.js';
import type { Json } from '../../dag/graph.js';
import type { RunResult } from '../../dag/planner.js';
import { resolveOutput, type Scope } from '../../dag/resolve.js';
import type { StepRecord } from '../../activities/engine/run-record-schema.js';
import { outcomeIn } from './outcome.js';

export type RunEnd =
  | { readonly status: 'completed'; readonly outcome: string; readonly output: Json }
  | { readonly status: 'cancelled'; readonly outcome: 'cancelled'; readonly message: string }
  | {
      readonly status: 'failed';
      readonly outcome: 'failed';
      readonly message: string;
      readonly details: { readonly step: string; readonly type: string; readonly failedSteps: readonly string[] };
    };

/** The engine knows three outcomes of its own; any other is a DAG's, in the field `outcome` of what it returns. */
export function judgeRun(result: RunResult, admission: Admission, scope: Scope): RunEnd {
  switch (result.status) {
    case 'success': {
      const output = resolveOutput(admission.graph.output, scope);
      const outcome = admission.stopAfter === undefined ? (outcomeIn(output) ?? 'succeeded') : 'stopped';
      return { status: 'completed', outcome, output };
    }
    case 'cancelled':
      return { status: 'cancelled', outcome: 'cancelled', message: 'the run was cancelled' };
    case 'failed':
      return failed(result, scope);
  }
}

function failed({ failedSteps }: RunResult, scope: Scope): RunEnd {
  const culprits = failedSteps.length > 0 ? failedSteps : endedBadly(scope);
  const [first = 'unknown', ...others] = culprits;
  const step = scope.steps.get(first) as Pick<StepRecord, 'reason' | 'failureType'> | undefined;
  const more = others.length === 0 ? '' : ` (and ${others.length} more: ${others.slice(0, 5).map(quote).join(', ')})`;
  return {
    status: 'failed',
    outcome: 'failed',
    message: `step ${quote(first)} failed: ${step?.reason ?? 'for no known reason'}${more}`,
    details: { step: first, type: step?.failureType ?? 'Cancelled', failedSteps: culprits.slice(0, 100) },
  };
}

/** Where no step failed by itself: someone cancelled a step's own workflow, say. */
const endedBadly = (scope: Scope): readonly string[] =>
  [...scope.steps].flatMap(([id, { status }]) => (status === 'cancelled' || status === 'upstream_failed' ? [id] : []));

const quote = (text: string): string => `"${text}"`;
