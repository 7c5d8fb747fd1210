// The workflow behind every DAG and every task: pins the run, walks its graph, and keeps everyone informed.
// It is the bundle's dynamic workflow, so it runs under the name of the DAG or task, with one JSON object.

import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import {
  CancellationScope,
  DeterminismViolationError,
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { Admission } from '../activities/engine/protocol.js';
import type { RunRecordState } from '../activities/engine/run-record-schema.js';
import type { Json, StepStatus } from '../dag/graph.js';
import { admitRun, describeRun, environmentOf, standing } from './dag-run/admit-run.js';
import { causeOf } from './dag-run/failure.js';
import { LiveState, outputReference } from './dag-run/live-state.js';
import { planOf } from './dag-run/plan.js';
import { RecordKeeper } from './dag-run/record-keeper.js';
import { renderDetails } from './dag-run/run-details.js';
import { describeState, type RunState } from './dag-run/run-state.js';
import { judgeRun, type RunEnd } from './dag-run/run-end.js';
import { GraphWalk } from './dag-run/walk.js';
import { setSearchAttributes } from './search-attributes.js';

export interface DagRunResult {
  /** `succeeded`, what the DAG says itself in a field `outcome` of its output, or `stopped`. */
  readonly outcome: string;
  readonly output: Json;
  readonly steps: Readonly<Record<string, StepStatus>>;
}

const stateQuery = defineQuery<RunState>('state');

export async function dagRun(input: unknown): Promise<DagRunResult> {
  try {
    return await admitAndRun(input);
  } catch (error) {
    if (error instanceof TemporalFailure || error instanceof DeterminismViolationError) throw error;
    // Any other error would make Temporal try this workflow task again for ever, with the run shown as running.
    const problem = error instanceof Error ? error.message : String(error);
    throw ApplicationFailure.create({ type: 'Internal', message: `a defect in Pawl: ${problem}`, nonRetryable: true });
  }
}

async function admitAndRun(input: unknown): Promise<DagRunResult> {
  const request = describeRun(input);
  let admission: Admission;
  try {
    admission = await admitRun(request);
  } catch (error) {
    const cancelled = isCancellation(error);
    setSearchAttributes({
      ...standing(request, environmentOf(error)),
      PawlOutcome: cancelled ? 'cancelled' : 'failed',
    });
    if (!cancelled) setCurrentDetails(`**${request.name}** · failed · ${causeOf(error).sentence}`);
    throw error;
  }
  return new DagRun(admission).run();
}

class DagRun {
  private readonly live: LiveState;
  private readonly records: RecordKeeper;
  private readonly startedAt = new Date().toISOString();
  private end: RunEnd | undefined;
  private renderPending = false;
  private readonly soon = Promise.resolve();

  constructor(private readonly admission: Admission) {
    const { run, graph, params, model, stopAfter, dryRun } = admission;
    this.live = new LiveState(graph.steps.map((step) => step.id));
    this.records = new RecordKeeper(
      {
        run,
        graph,
        params,
        dryRun,
        startedAt: this.startedAt,
        ...(model === undefined ? {} : { model }),
        ...(stopAfter === undefined ? {} : { stopAfter }),
      },
      this.live,
    );
    setHandler(stateQuery, () => describeState(admission, this.live, this.end), {
      description: 'where the run and each of its steps stand',
    });
    setSearchAttributes(
      {
        PawlDag: run.dag,
        PawlEnvironment: run.environment,
        PawlTrigger: run.trigger,
        ...(model === undefined ? {} : { PawlModel: model }),
      },
      run.logicalDate,
    );
  }

  /** Its walk is not cancelled with the run: steps are, one by one, and teardowns and the last record go on. */
  async run(): Promise<DagRunResult> {
    const outer = CancellationScope.current();
    return CancellationScope.nonCancellable(async () => {
      const walk = new GraphWalk(this.admission, this.live, () => this.changed());
      this.records.open();
      if (this.admission.dryRun) {
        this.end = { status: 'completed', outcome: 'stopped', output: planOf(this.admission) };
      } else {
        outer.cancelRequested.catch(() => walk.cancel());
        this.end = judgeRun(await walk.run(), this.admission, walk.scope);
      }
      return this.close(this.end);
    });
  }

  private async close(end: RunEnd): Promise<DagRunResult> {
    setSearchAttributes({ PawlOutcome: end.outcome });
    this.render();
    await this.records.close(this.recordState(end));
    switch (end.status) {
      case 'completed': {
        const steps = Object.fromEntries([...this.live.states].map(([id, { status }]) => [id, status]));
        return { outcome: end.outcome, output: end.output, steps };
      }
      case 'cancelled':
        throw new CancelledFailure(end.message);
      case 'failed':
        throw ApplicationFailure.create({
          type: 'StepFailed',
          message: end.message,
          nonRetryable: true,
          details: [end.details],
        });
    }
  }

  private recordState(end: RunEnd): RunRecordState {
    const common = { status: end.status, outcome: end.outcome, endedAt: new Date().toISOString() };
    if (end.status === 'completed') return { ...common, output: outputReference(end.output) };
    if (end.status === 'cancelled') return { ...common, error: { type: 'Cancelled', message: end.message } };
    return { ...common, error: { type: end.details.type, message: end.message, step: end.details.step } };
  }

  private changed(): void {
    this.records.changed();
    if (this.renderPending) return;
    this.renderPending = true;
    // Once for all that this activation brings.
    void this.soon.then(() => this.render());
  }

  private render(): void {
    this.renderPending = false;
    const { run, model } = this.admission;
    const about = model === undefined ? run.dag : `${run.dag} · ${model}`;
    const standing = this.end === undefined ? 'running' : `${this.end.outcome}`;
    setCurrentDetails(renderDetails(`${about} · ${standing}`, this.live));
  }
}
