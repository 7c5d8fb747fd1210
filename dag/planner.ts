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
  /** Nothing has run yet. */
  initial(): PlannerState;
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

/** From a step to those that come after it; a step without any costs no list. */
type Edges = (number[] | undefined)[];
const newEdges = (size: number): Edges => new Array<number[] | undefined>(size).fill(undefined);
const none: readonly never[] = [];

class GraphPlanner implements Planner {
  private readonly steps: readonly Step[];
  private readonly indexes = new Map<string, number>();
  private readonly downstream: Edges;
  /** From a setup to the steps that `require` it; empty where none does, as in most graphs. */
  private readonly required: Edges;

  constructor(graph: Graph) {
    this.steps = graph.steps;
    this.downstream = newEdges(graph.steps.length);
    this.required = newEdges(graph.steps.some((step) => step.requires !== undefined) ? graph.steps.length : 0);
    graph.steps.forEach((step, index) => this.indexes.set(step.id, index));
    graph.steps.forEach((step, index) => {
      for (const id of step.upstream) addEdge(this.downstream, this.indexOf(id), index);
      for (const id of step.requires ?? none) addEdge(this.required, this.indexOf(id), index);
    });
  }

  initial(): PlannerState {
    const size = this.steps.length;
    return {
      statuses: new Array<StepStatus>(size).fill('waiting'),
      upstream: newTally(size),
      setups: newTally(this.required.length),
      open: size,
      cancelled: false,
    };
  }

  start(state: PlannerState): readonly Decision[] {
    const decisions: Decision[] = [];
    this.propagate(state, this.everyStep(), decisions);
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
    this.propagate(state, this.everyStep(), decisions);
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
    const failedSteps: string[] = [];
    let someCancelled = false;
    let leafFailed = false;
    for (const [index, step] of this.steps.entries()) {
      const status = state.statuses[index];
      if (status === 'success' || status === 'skipped' || step.teardownOf !== undefined) continue;
      if (status === 'failed') failedSteps.push(step.id);
      if (status === 'cancelled') someCancelled = true;
      leafFailed ||= this.isLeaf(index);
    }
    if (state.cancelled && someCancelled) return { status: 'cancelled', failedSteps };
    return { status: leafFailed ? 'failed' : 'success', failedSteps };
  }

  /** Looks at the steps given, and at all that what it decides leads to. A list, not recursion: chains are long. */
  private propagate(state: PlannerState, first: readonly number[], decisions: Decision[]): void {
    const further: number[] = [];
    for (const index of first) this.look(state, index, decisions, further);
    for (const index of further) this.look(state, index, decisions, further);
  }

  /** Decides about one step, where it still waits; what then has to be looked at goes to the end of `further`. */
  private look(state: PlannerState, index: number, decisions: Decision[], further: number[]): void {
    const step = this.steps[index];
    if (step === undefined || state.statuses[index] !== 'waiting') return;
    const verdict = this.judge(state, index, step);
    if (verdict === 'wait') return;
    if (verdict === 'start') {
      state.statuses[index] = 'running';
      decisions.push({ kind: 'start', stepId: step.id });
      return;
    }
    const reason = this.reasonFor(state, step, verdict);
    this.end(state, index, verdict);
    decisions.push({ kind: 'settle', stepId: step.id, status: verdict, reason });
    for (const down of this.after(index)) further.push(down);
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
    for (const down of this.downstream[index] ?? none) count(state.upstream, down, counted);
    for (const down of this.required[index] ?? none) count(state.setups, down, counted);
  }

  private after(index: number): readonly number[] {
    const required = this.required[index] ?? none;
    const downstream = this.downstream[index] ?? none;
    return required.length === 0 ? downstream : [...downstream, ...required];
  }

  private everyStep(): readonly number[] {
    return this.steps.map((_step, index) => index);
  }

  /** Nothing but teardowns comes after it. */
  private isLeaf(index: number): boolean {
    return (this.downstream[index] ?? none).every((down) => this.steps[down]?.teardownOf !== undefined);
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
}

function addEdge(edges: Edges, from: number, to: number): void {
  const known = edges[from];
  if (known === undefined) edges[from] = [to];
  else known.push(to);
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
