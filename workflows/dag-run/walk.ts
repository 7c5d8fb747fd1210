// Walks a run's graph: carries out the planner's decisions and tells it how each step ended.

import { ActivityFailure, TimeoutFailure } from '@temporalio/common';
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Admission } from '../../activities/engine/protocol.js';
import type { Json, Step } from '../../dag/graph.js';
import { createPlanner, type Decision, type Planner, type PlannerState, type RunResult } from '../../dag/planner.js';
import { prepareStep, type Scope } from '../../dag/resolve.js';
import { causeOf } from './failure.js';
import type { LiveState, Settlement } from './live-state.js';
import { runStep } from './run-step.js';

/** Temporal refuses more than 2,000 pending activities or children of a workflow; a job is one at a time. */
const maxInFlight = 500;

export class GraphWalk {
  readonly scope: Scope;
  private readonly planner: Planner;
  private readonly state: PlannerState;
  private readonly steps: ReadonlyMap<string, Step>;
  private readonly scopes = new Map<string, CancellationScope>();
  /** Steps whose turn has come, and which wait for others to end, since too many are in flight. */
  private readonly ready = new Set<string>();
  private finish: (result: RunResult) => void = () => {};
  private breakDown: (defect: unknown) => void = () => {};

  constructor(
    private readonly admission: Admission,
    private readonly live: LiveState,
    private readonly onChange: () => void,
  ) {
    const { graph, params, run } = admission;
    const { logicalDate, runId, workflowId, environment } = run;
    this.planner = createPlanner(graph);
    this.state = this.planner.initial();
    this.steps = new Map(graph.steps.map((step) => [step.id, step]));
    this.scope = { params, run: { logicalDate, runId, workflowId, environment }, steps: live.states };
  }

  /** To be called in a scope that is not cancelled with the run: cancellation comes by `cancel`, and teardowns outlive it. */
  async run(): Promise<RunResult> {
    const finished = new Promise<RunResult>((resolve, reject) => {
      this.finish = resolve;
      this.breakDown = reject;
    });
    this.go(() => this.planner.start(this.state));
    return finished;
  }

  cancel(): void {
    this.go(() => this.planner.cancel(this.state));
  }

  /** A defect in what is decided ends the run: thrown from where Temporal calls, it would make the workflow task try again for ever. */
  private go(decide: () => readonly Decision[]): void {
    try {
      this.carryOut(decide());
    } catch (defect) {
      this.breakDown(defect);
    }
  }

  private carryOut(first: readonly Decision[]): void {
    // A queue and not recursion: a chain of skipped steps may be as long as the graph.
    const queue = [...first];
    for (let at = 0; at < queue.length; at++) {
      const decision = queue[at];
      if (decision === undefined) continue;
      switch (decision.kind) {
        case 'start':
          this.ready.add(decision.stepId);
          queue.push(...this.beginReady());
          break;
        case 'settle':
          this.live.settle(decision.stepId, { status: decision.status, reason: decision.reason });
          break;
        case 'cancel':
          queue.push(...this.cancelStep(decision.stepId));
          break;
      }
    }
    this.onChange();
    const result = this.planner.result(this.state);
    if (result !== undefined) this.finish(result);
  }

  /** Starts as many as may be in flight, and answers what follows from those that ended at once. */
  private beginReady(): readonly Decision[] {
    const decisions: Decision[] = [];
    for (const id of this.ready) {
      if (this.scopes.size >= maxInFlight) break;
      this.ready.delete(id);
      decisions.push(...this.begin(id));
    }
    return decisions;
  }

  private cancelStep(id: string): readonly Decision[] {
    if (!this.ready.delete(id)) {
      this.scopes.get(id)?.cancel();
      return [];
    }
    const ended: Settlement = { status: 'cancelled', reason: 'the run was cancelled' };
    this.live.settle(id, ended);
    return this.planner.settle(this.state, id, ended);
  }

  /** Starts a step, or answers what follows from its ending at once. */
  private begin(id: string): readonly Decision[] {
    const step = this.steps.get(id);
    if (step === undefined) return [];
    const prepared = prepareStep(step, this.scope);
    if (prepared.kind === 'settle') {
      this.live.settle(id, {
        ...prepared.state,
        ...(prepared.state.status === 'failed' ? { failureType: 'InvalidInput' } : {}),
      });
      return this.planner.settle(this.state, id, prepared.state);
    }
    this.live.start(id);
    this.execute(step, prepared.input);
    return [];
  }

  /** One promise and no async function: Temporal notes the stack of every promise, which takes longer than all that is decided here. */
  private execute(step: Step, input: Json): void {
    const scope = new CancellationScope();
    this.scopes.set(step.id, scope);
    const note = (reason: string | undefined): void => {
      this.live.note(step.id, reason);
      this.onChange();
    };
    void scope
      .run(() => runStep({ step, input, admission: this.admission, note }))
      .then(
        ({ output, attempt }) => this.settle(step.id, { status: 'success', output, attempts: attempt }),
        (error: unknown) => this.settle(step.id, endedBy(error, scope.consideredCancelled)),
      );
  }

  private settle(id: string, settlement: Settlement): void {
    this.go(() => {
      this.scopes.delete(id);
      this.live.settle(id, settlement);
      return [...this.planner.settle(this.state, id, settlement), ...this.beginReady()];
    });
  }
}

/** A worker that died while its cancelled step came to an end has not failed the step. */
function endedBy(error: unknown, wasCancelled: boolean): Settlement {
  const { sentence, type } = causeOf(error);
  const diedSince = wasCancelled && error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
  return isCancellation(error) || diedSince
    ? { status: 'cancelled', reason: sentence }
    : { status: 'failed', reason: sentence, failureType: type };
}
