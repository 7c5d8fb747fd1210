// Runs a whole DAG in this process, by the same planner and the same wiring as a real run: no server, no retries, no time-outs.

import { admit } from '../activities/engine/admit.js';
import { catalogOf } from '../activities/engine/catalog.js';
import type { Dag, DagOutputOf, DagParamsOf } from '../dag/dag.js';
import { SystemError } from '../dag/failures.js';
import type { Json, Step, StepState, StepStatus } from '../dag/graph.js';
import { createPlanner, type Decision } from '../dag/planner.js';
import { prepareStep, resolveOutput, type Scope } from '../dag/resolve.js';
import type { RunOptions } from '../dag/run-options.js';
import { stepKey } from '../dag/step-key.js';
import type { Systems } from '../systems/systems.js';
import { memorySystems } from './memory-systems.js';
import { runTask } from './run-task.js';

export interface RunDagOptions extends Pick<RunOptions, 'stopAfter' | 'reason' | 'by'> {
  /** New `memorySystems()` unless set. */
  readonly systems?: Systems;
  /** The settings of models, by name. */
  readonly models?: ReadonlyMap<string, unknown>;
  /** ISO 8601; now unless set. */
  readonly logicalDate?: string;
  /** What stands in for a step, by its id: its output from its input. Steps that are workflows need one. */
  readonly standIns?: Readonly<Record<string, (input: Json) => unknown>>;
}

export interface DagTestRun<Output> {
  readonly status: 'success' | 'failed' | 'cancelled';
  /** What the DAG returns, null where no step gave it. */
  readonly output: Output;
  readonly steps: Readonly<Record<string, StepStatus>>;
  /** Why each step that did not run, or failed, ended so. */
  readonly reasons: Readonly<Record<string, string>>;
}

/** Throws `InvalidInput` for parameters that the DAG refuses; a step that throws fails, and the run goes on by its rules. */
export async function runDag<D extends Dag>(
  dag: D,
  params: DagParamsOf<D>,
  options: RunDagOptions = {},
): Promise<DagTestRun<DagOutputOf<D>>> {
  const {
    systems = memorySystems(),
    models = new Map<string, unknown>(),
    logicalDate,
    standIns = {},
    ...rest
  } = options;
  const {
    graph,
    params: resolved,
    run,
  } = await admit(
    { catalog: catalogOf([dag]), systems, models, deployWaitMs: 0 },
    {
      name: dag.name,
      input: { ...(params as object), ...rest },
      workflowId: `${dag.name}/test`,
      runId: 'test-run',
      trigger: 'manual',
      logicalDate: logicalDate ?? new Date().toISOString(),
    },
  );
  const states = new Map<string, StepState>();
  const { workflowId, runId, environment } = run;
  const scope: Scope = {
    params: resolved,
    run: { logicalDate: run.logicalDate, runId, workflowId, environment },
    steps: states,
  };
  const tasks = new Map(dag.tasks.map((task) => [task.name, task]));
  const planner = createPlanner(graph);
  const state = planner.initial();

  const work = async (step: Step, input: Json): Promise<unknown> => {
    const standIn = standIns[step.id];
    if (standIn !== undefined) return standIn(input);
    const task = tasks.get(step.task.name);
    if (task === undefined || task.kind === 'workflow')
      throw new SystemError('InvalidInput', `step ${step.id} is a workflow of Pawl's own: give it a stand-in`);
    const key = stepKey(runId, step.id);
    return runTask(task, input, { systems, run, step: { id: step.id, key } });
  };
  const perform = async (step: Step, input: Json): Promise<StepState> => {
    try {
      const output = await work(step, input);
      return { status: 'success', output: JSON.parse(JSON.stringify(output ?? null)) as Json };
    } catch (error) {
      return { status: 'failed', reason: error instanceof Error ? error.message : String(error) };
    }
  };
  const settle = async (step: Step, ended: StepState): Promise<void> => {
    states.set(step.id, ended);
    await carryOut(planner.settle(state, step.id, ended));
  };
  const carryOut = async (decisions: readonly Decision[]): Promise<void> => {
    await Promise.all(
      decisions.map(async (decision) => {
        const step = graph.steps.find(({ id }) => id === decision.stepId);
        if (step === undefined || decision.kind === 'cancel') return;
        if (decision.kind === 'settle') {
          states.set(step.id, { status: decision.status, reason: decision.reason });
          return;
        }
        const prepared = prepareStep(step, scope);
        await settle(step, prepared.kind === 'settle' ? prepared.state : await perform(step, prepared.input));
      }),
    );
  };
  await carryOut(planner.start(state));

  const result = planner.result(state);
  return {
    status: result?.status ?? 'failed',
    output: resolveOutput(graph.output, scope) as DagOutputOf<D>,
    steps: Object.fromEntries(graph.steps.map(({ id }) => [id, planner.statusOf(state, id)])),
    reasons: Object.fromEntries(
      [...states].flatMap(([id, { reason }]) => (reason === undefined ? [] : [[id, reason]])),
    ),
  };
}
