// Small graphs for the planner's tests, written by hand, and a run of them without an engine.

import type { Graph, Step, StepStatus } from '../../../dag/graph.js';
import type { Decision, Planner, PlannerState } from '../../../dag/planner.js';

export const stepOf = (id: string, upstream: readonly string[] = [], more: Partial<Step> = {}): Step => ({
  id,
  kind: 'activity',
  task: { name: 'any', version: '1', digest: '' },
  input: { kind: 'literal', value: null },
  upstream,
  triggerRule: 'all_success',
  retry: { attempts: 1, firstDelayMs: 1, maxDelayMs: 1 },
  deadlineMs: 1,
  timeoutMs: 1,
  heartbeatMs: 1,
  ...more,
});

export const graphOf = (...steps: readonly Step[]): Graph => ({
  schema: 1,
  name: 'by-hand',
  digest: '',
  steps,
  output: { kind: 'literal', value: null },
});

export interface PlayOptions {
  /** How each step that runs ends; `success` unless named. */
  readonly ends?: Readonly<Record<string, StepStatus>>;
  /** Which of the running steps ends next; the first unless given. */
  readonly pick?: (running: readonly string[]) => number;
  /** The run is cancelled once so many steps have ended. */
  readonly cancelAfter?: number;
}

export interface Play {
  readonly state: PlannerState;
  /** In the order of their start. */
  readonly started: readonly string[];
  readonly startedAfterCancel: readonly string[];
  readonly statuses: Readonly<Record<string, StepStatus>>;
  readonly reasons: Readonly<Record<string, string>>;
  /** How often each step was settled, by the planner or by its end. */
  readonly settlements: ReadonlyMap<string, number>;
}

/** Runs a graph to its end as the engine would, one step ending at a time. */
export function play(planner: Planner, graph: Graph, options: PlayOptions = {}): Play {
  const { ends = {}, pick = () => 0, cancelAfter = Infinity } = options;
  const state = planner.initial();
  const running: string[] = [];
  const started: string[] = [];
  const startedAfterCancel: string[] = [];
  const toCancel = new Set<string>();
  const settlements = new Map<string, number>();
  const reasons: Record<string, string> = {};
  let ended = 0;
  let cancelled = false;
  const cancel = (): void => {
    cancelled = true;
    take(planner.cancel(state));
  };
  const take = (decisions: readonly Decision[]): void => {
    for (const decision of decisions) {
      const { stepId } = decision;
      if (decision.kind === 'cancel') toCancel.add(stepId);
      if (decision.kind === 'start') {
        running.push(stepId);
        started.push(stepId);
        if (cancelled) startedAfterCancel.push(stepId);
      }
      if (decision.kind === 'settle') {
        settlements.set(stepId, (settlements.get(stepId) ?? 0) + 1);
        reasons[stepId] = decision.reason;
      }
    }
  };
  take(planner.start(state));
  if (cancelAfter === 0) cancel();
  while (running.length > 0) {
    const [stepId = ''] = running.splice(pick(running) % running.length, 1);
    settlements.set(stepId, (settlements.get(stepId) ?? 0) + 1);
    ended += 1;
    take(planner.settle(state, stepId, { status: toCancel.has(stepId) ? 'cancelled' : (ends[stepId] ?? 'success') }));
    if (ended === cancelAfter) cancel();
  }
  const statuses = Object.fromEntries(graph.steps.map(({ id }) => [id, planner.statusOf(state, id)]));
  return { state, started, startedAfterCancel, statuses, reasons, settlements };
}
