// Says what runs next: a pure walk over the graph that touches each edge once. It knows nothing of Temporal.
// Imported by workflow code, so it imports nothing but what is pure.

import type { Graph, Step, StepState, StepStatus } from './graph.js';
import { statusText } from './status-text.js';
import { judgeTriggerRule } from './trigger-rule.js';

export type Decision =
  /** Its trigger rule is met; it counts as running from now on. */
  | { readonly kind: 'start'; readonly stepId: string }
  /** It ends without having run; the planner has taken note already. */
  | {
      readonly kind: 'settle';
      readonly stepId: string;
      readonly status: 'skipped' | 'upstream_failed' | 'cancelled';
      readonly reason: string;
    }
  /** It runs, and is to be cancelled; `settle` says what became of it. */
  | { readonly kind: 'cancel'; readonly stepId: string };

export interface RunResult {
  readonly status: 'success' | 'failed' | 'cancelled';
  /** Steps that failed by themselves (teardowns excepted), in the graph's order: the root causes. */
  readonly failedSteps: readonly string[];
}

/** Where a run stands. Changed in place by the planner, so that a step costs only its own edges. */
export interface PlannerState {
  readonly statuses: StepStatus[];
  readonly upstream: Tally;
  readonly setups: Tally;
  open: number;
  cancelled: boolean;
}

/** How many of each step's upstream steps have ended in which way. */
interface Tally {
  readonly success: Int32Array;
  readonly skipped: Int32Array;
  readonly failed: Int32Array;
  readonly upstreamFailed: Int32Array;
}

export interface Planner {
  /** Nothing has run yet; or, taking a run up again, these steps have ended. */
  initial(ended?: ReadonlyMap<string, StepStatus>): PlannerState;
  /** The first decisions. */
  start(state: PlannerState): readonly Decision[];
  /**
   * A step has ended; answers all that follows from it. A second settlement of a step changes nothing.
   * Throws RangeError for a step that is not in the graph.
   */
  settle(state: PlannerState, stepId: string, ended: StepState): readonly Decision[];
  /** Ends what waits and asks to cancel what runs. Teardowns are left alone: they run, or still will. */
  cancel(state: PlannerState): readonly Decision[];
  statusOf(state: PlannerState, stepId: string): StepStatus;
  /** `undefined` while a step is open. */
  result(state: PlannerState): RunResult | undefined;
}

/** An index over the graph, made once a run. The graph must be one that `checkGraph` accepts. */
export function createPlanner(graph: Graph): Planner {
  return new GraphPlanner(graph);
}

const isOpen = (status: StepStatus | undefined): boolean => status === 'waiting' || status === 'running';

const newTally = (size: number): Tally => ({
  success: new Int32Array(size),
  skipped: new Int32Array(size),
  failed: new Int32Array(size),
  upstreamFailed: new Int32Array(size),
});

class GraphPlanner implements Planner {
  private readonly steps: readonly Step[];
  private readonly indexes: ReadonlyMap<string, number>;
  private readonly downstream: readonly (readonly number[])[];
  /** From a setup to the steps that `require` it. */
  private readonly required: readonly (readonly number[])[];

  constructor(graph: Graph) {
    this.steps = graph.steps;
    this.indexes = new Map(graph.steps.map((step, index) => [step.id, index]));
    this.downstream = this.edges((step) => step.upstream);
    this.required = this.edges((step) => step.requires ?? []);
  }

  initial(ended: ReadonlyMap<string, StepStatus> = new Map()): PlannerState {
    const size = this.steps.length;
    const state: PlannerState = {
      statuses: new Array<StepStatus>(size).fill('waiting'),
      upstream: newTally(size),
      setups: newTally(size),
      open: size,
      cancelled: false,
    };
    for (const [stepId, status] of ended) {
      if (!isOpen(status)) this.end(state, this.indexOf(stepId), status);
    }
    return state;
  }

  start(state: PlannerState): readonly Decision[] {
    const decisions: Decision[] = [];
    this.propagate(state, this.steps.keys(), decisions);
    return decisions;
  }

  settle(state: PlannerState, stepId: string, ended: StepState): readonly Decision[] {
    const index = this.indexOf(stepId);
    const decisions: Decision[] = [];
    if (!isOpen(state.statuses[index]) || isOpen(ended.status)) return decisions;
    this.end(state, index, ended.status);
    this.propagate(state, this.after(index), decisions);
    return decisions;
  }

  cancel(state: PlannerState): readonly Decision[] {
    const decisions: Decision[] = [];
    if (state.cancelled) return decisions;
    state.cancelled = true;
    for (const [index, step] of this.steps.entries()) {
      if (step.teardownOf !== undefined) continue;
      if (state.statuses[index] === 'running') decisions.push({ kind: 'cancel', stepId: step.id });
      if (state.statuses[index] !== 'waiting') continue;
      this.end(state, index, 'cancelled');
      decisions.push({ kind: 'settle', stepId: step.id, status: 'cancelled', reason: 'the run was cancelled' });
    }
    // Only teardowns wait any more.
    this.propagate(state, this.steps.keys(), decisions);
    return decisions;
  }

  statusOf(state: PlannerState, stepId: string): StepStatus {
    return state.statuses[this.indexOf(stepId)] ?? 'waiting';
  }

  /**
   * As Airflow: the leaves decide, teardowns excepted. A failure that a later step answers (`one_failed`, `all_done`) and
   * that step's success therefore make a run a success; a step that only reports should not stand last alone.
   */
  result(state: PlannerState): RunResult | undefined {
    if (state.open > 0) return undefined;
    const own = (index: number): boolean => this.steps[index]?.teardownOf === undefined;
    const work = [...this.steps.keys()].filter(own);
    const leaves = work.filter((index) => !this.downstream[index]?.some(own));
    const has = (index: number, ...statuses: readonly StepStatus[]): boolean =>
      statuses.includes(state.statuses[index] ?? 'waiting');
    const failedSteps = work.filter((index) => has(index, 'failed')).map((index) => this.steps[index]?.id ?? '');
    if (state.cancelled && work.some((index) => has(index, 'cancelled'))) return { status: 'cancelled', failedSteps };
    const failed = leaves.some((index) => has(index, 'failed', 'upstream_failed', 'cancelled'));
    return { status: failed ? 'failed' : 'success', failedSteps };
  }

  /** Looks at the steps given, and at all that what it decides leads to. A list, not recursion: chains are long. */
  private propagate(state: PlannerState, first: Iterable<number>, decisions: Decision[]): void {
    const queue = [...first];
    for (let at = 0; at < queue.length; at += 1) {
      const index = queue[at] ?? 0;
      const step = this.steps[index];
      if (step === undefined || state.statuses[index] !== 'waiting') continue;
      const verdict = this.judge(state, index, step);
      if (verdict === 'wait') continue;
      if (verdict === 'start') {
        state.statuses[index] = 'running';
        decisions.push({ kind: 'start', stepId: step.id });
        continue;
      }
      const reason = this.reasonFor(state, step, verdict);
      this.end(state, index, verdict);
      decisions.push({ kind: 'settle', stepId: step.id, status: verdict, reason });
      for (const down of this.after(index)) queue.push(down);
    }
  }

  private judge(
    state: PlannerState,
    index: number,
    step: Step,
  ): 'start' | 'wait' | 'skipped' | 'upstream_failed' | 'cancelled' {
    if (step.teardownOf !== undefined) return this.judgeTeardown(state, index, step.teardownOf, step.upstream.length);
    if (step.requires !== undefined) {
      const setups = judgeTriggerRule('all_success', countsOf(state.setups, index, step.requires.length));
      if (setups !== 'start') return setups;
    }
    return judgeTriggerRule(step.triggerRule, countsOf(state.upstream, index, step.upstream.length));
  }

  /** Airflow's rule of teardowns: all upstream done and one setup succeeded; otherwise as the setups ended. */
  private judgeTeardown(
    state: PlannerState,
    index: number,
    setups: readonly string[],
    upstream: number,
  ): 'start' | 'wait' | 'skipped' | 'upstream_failed' | 'cancelled' {
    if (judgeTriggerRule('all_done', countsOf(state.upstream, index, upstream)) === 'wait') return 'wait';
    const statuses = new Set(setups.map((setup) => this.statusOf(state, setup)));
    if (statuses.has('success')) return 'start';
    if (statuses.has('failed') || statuses.has('upstream_failed')) return 'upstream_failed';
    return statuses.has('cancelled') ? 'cancelled' : 'skipped';
  }

  private end(state: PlannerState, index: number, status: StepStatus): void {
    state.statuses[index] = status;
    state.open -= 1;
    // What comes after a teardown goes on though cleaning up has failed.
    const counted = status === 'failed' && this.steps[index]?.teardownOf !== undefined ? 'success' : status;
    for (const down of this.downstream[index] ?? []) count(state.upstream, down, counted);
    for (const down of this.required[index] ?? []) count(state.setups, down, counted);
  }

  private after(index: number): readonly number[] {
    const required = this.required[index] ?? [];
    const downstream = this.downstream[index] ?? [];
    return required.length === 0 ? downstream : [...downstream, ...required];
  }

  private reasonFor(state: PlannerState, step: Step, verdict: 'skipped' | 'upstream_failed' | 'cancelled'): string {
    const sources = step.teardownOf ?? [...(step.requires ?? []), ...step.upstream];
    const failed = sources.find((id) => ['failed', 'upstream_failed', 'cancelled'].includes(this.statusOf(state, id)));
    const skipped = sources.find((id) => this.statusOf(state, id) === 'skipped');
    const source = verdict === 'skipped' ? skipped : failed;
    if (source !== undefined && (step.teardownOf !== undefined || explainedBySource(step, verdict))) {
      return `step ${source} ${statusText(this.statusOf(state, source))}`;
    }
    return `its trigger rule ${step.triggerRule} cannot be met any more`;
  }

  private indexOf(stepId: string): number {
    const index = this.indexes.get(stepId);
    if (index === undefined) throw new RangeError(`step ${stepId} is not in the graph`);
    return index;
  }

  private edges(from: (step: Step) => readonly string[]): readonly (readonly number[])[] {
    const lists = this.steps.map((): number[] => []);
    for (const [index, step] of this.steps.entries()) {
      for (const id of from(step)) lists[this.indexOf(id)]?.push(index);
    }
    return lists;
  }
}

/** Rules that a single failed or skipped step settles; for the others no one step is to blame. */
const explainedBySource = (step: Step, verdict: 'skipped' | 'upstream_failed' | 'cancelled'): boolean =>
  verdict === 'upstream_failed'
    ? step.triggerRule !== 'one_success' && step.triggerRule !== 'all_done_min_one_success'
    : !['one_failed', 'one_done', 'all_failed', 'all_skipped'].includes(step.triggerRule);

function count(tally: Tally, index: number, status: StepStatus): void {
  const list =
    status === 'success'
      ? tally.success
      : status === 'skipped'
        ? tally.skipped
        : status === 'upstream_failed'
          ? tally.upstreamFailed
          : tally.failed;
  list[index] = (list[index] ?? 0) + 1;
}

const countsOf = (tally: Tally, index: number, upstream: number): Parameters<typeof judgeTriggerRule>[1] => ({
  upstream,
  success: tally.success[index] ?? 0,
  skipped: tally.skipped[index] ?? 0,
  failed: tally.failed[index] ?? 0,
  upstreamFailed: tally.upstreamFailed[index] ?? 0,
});
