// The SDK: starts runs, joins them, and says how they stand.

import { randomUUID } from 'node:crypto';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import type { TriggerKind } from '../dag/context.js';
import type { Dag, DagOutputOf, DagParamsOf } from '../dag/dag.js';
import { SystemError } from '../dag/failures.js';
import type { StepStatus } from '../dag/graph.js';
import { parseRunInput, type RunOptions } from '../dag/run-options.js';
import { stopAfter } from '../dag/stop-after.js';
import type { AloneParamsOf, OutputOf, Task } from '../dag/task.js';
import type { RunState } from '../workflows/dag-run/run-state.js';
import { listRuns, type RunFilter, type RunSummary } from './list-runs.js';
import { Rollout } from './rollout.js';
import { runFailure } from './run-failure.js';
import { keyword, logicalDateKey } from './search-attributes.js';

export type Startable = Dag | Task;
/** What a caller writes to start it. */
export type ParamsOf<S> = S extends Dag ? DagParamsOf<S> : S extends Task ? AloneParamsOf<S> : never;
/** What its run returns. */
export type ResultOf<S> = S extends Dag ? DagOutputOf<S> : S extends Task ? OutputOf<S> : never;

export interface StartOptions extends RunOptions {
  /** Makes the start idempotent: a run of this id is joined, not started again. A new one unless set. */
  readonly id?: string;
  /** ISO 8601: what the run takes for its time; its start unless set. */
  readonly logicalDate?: string;
  /** `manual` unless set. That of a parent's is for runs within runs, which `list` leaves out. */
  readonly trigger?: Exclude<TriggerKind, 'parent'>;
}

export interface TriggerEvent {
  /** The event's own id: the alert's, the message's. */
  readonly id: string;
  readonly reason: string;
  readonly by?: string;
}

export interface Run<Output = unknown> {
  readonly workflowId: string;
  readonly runId: string;
  /** Holds nothing: carries the type. */
  readonly output?: Output;
}

export interface RunResult<Output> {
  /** `succeeded`, `stopped`, or what the DAG says itself: `promoted`, `rejected`, … */
  readonly outcome: string;
  readonly output: Output;
  readonly steps: Readonly<Record<string, StepStatus>>;
}

export interface PawlClientOptions {
  readonly client: Client;
  readonly environment: string;
  /** `pawl-<environment>` unless set. */
  readonly taskQueue?: string;
  /** What may be started by name; other names are refused before anything starts. Without it every name goes. */
  readonly known?: readonly Startable[];
}

/** Failures are SystemErrors; a run that failed has the type, message and details of its failure. */
export class PawlClient {
  readonly temporal: Client;
  readonly environment: string;
  readonly taskQueue: string;
  private readonly known: ReadonlyMap<string, Startable> | undefined;

  constructor({ client, environment, taskQueue, known }: PawlClientOptions) {
    this.temporal = client;
    this.environment = environment;
    this.taskQueue = taskQueue ?? `pawl-${environment}`;
    this.known = known && new Map(known.map((startable) => [startable.name, startable]));
  }

  /** Starts a run. Throws `InvalidInput` with every problem and its path, and `UnknownDag`; then nothing has started. */
  async start<S extends Startable>(what: S, params: ParamsOf<S>, options?: StartOptions): Promise<Run<ResultOf<S>>>;
  async start(name: string, params: object, options?: StartOptions): Promise<Run>;
  async start(what: Startable | string, params: object, options: StartOptions = {}): Promise<Run> {
    return this.begin(what, params, options);
  }

  /**
   * Starts a run for something that happened. Idempotent by `id`, for as long as Temporal keeps the run: an alert that fires
   * twice starts one run, and both get it.
   */
  async trigger<S extends Startable>(what: S, params: ParamsOf<S>, event: TriggerEvent): Promise<Run<ResultOf<S>>>;
  async trigger(name: string, params: object, event: TriggerEvent): Promise<Run>;
  async trigger(what: Startable | string, params: object, event: TriggerEvent): Promise<Run> {
    return this.begin(what, params, { ...event, trigger: 'alert' });
  }

  /** Waits for a run's end. Throws its failure; `Cancelled` where it was cancelled or terminated. */
  async result<Output>(run: Run<Output> | string): Promise<RunResult<Output>> {
    const handle = this.handle(run);
    try {
      return (await handle.result()) as RunResult<Output>;
    } catch (error) {
      throw runFailure(handle.workflowId, error);
    }
  }

  /** Asks a run to end: its steps are cancelled, its jobs released, its teardowns run. Returns at once. Throws `NotFound`. */
  async cancel(run: Run | string): Promise<void> {
    const handle = this.handle(run);
    await handle.cancel().catch(notFound(handle.workflowId));
  }

  /** Where a run and each of its steps stand. Needs a worker. Throws `NotFound`. */
  async state(run: Run | string): Promise<RunState> {
    const handle = this.handle(run);
    return handle.query<RunState>('state').catch(notFound(handle.workflowId));
  }

  /** The runs of this environment, newest first; a new one appears after a second or so. */
  list(filter: RunFilter = {}): AsyncIterable<RunSummary> {
    return listRuns(this.temporal, this.environment, filter);
  }

  /** The rollout of a model's endpoint: to promote, pause, resume or abort it, and to ask how it stands. */
  rollout(model: string): Rollout {
    return new Rollout(this.temporal, this.environment, model);
  }

  /** The workflow id of a run. */
  workflowId(name: string, id: string): string {
    return `${name}/${this.environment}/${id}`;
  }

  private async begin(what: Startable | string, params: object, options: StartOptions): Promise<Run> {
    const startable = this.find(what);
    const name = typeof what === 'string' ? what : what.name;
    const { id, logicalDate, trigger = 'manual', ...runOptions } = options;
    const input = { ...params, ...withoutUndefined(runOptions) };
    if (startable !== undefined) checkInput(startable, input);
    const model = (params as { model?: unknown }).model;
    const workflowId = this.workflowId(name, id ?? randomUUID());
    try {
      const handle = await this.temporal.workflow.start(name, {
        workflowId,
        taskQueue: this.taskQueue,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: [name, model, runOptions.reason].filter((part) => typeof part === 'string').join(' · '),
        typedSearchAttributes: [
          { key: keyword('PawlDag'), value: name },
          { key: keyword('PawlEnvironment'), value: this.environment },
          { key: keyword('PawlTrigger'), value: trigger },
          ...(typeof model === 'string' ? [{ key: keyword('PawlModel'), value: model }] : []),
          ...(logicalDate === undefined ? [] : [{ key: logicalDateKey, value: new Date(logicalDate) }]),
        ],
      });
      return { workflowId, runId: handle.firstExecutionRunId };
    } catch (error) {
      // It has ended already: that one is the run of this id.
      if (error instanceof WorkflowExecutionAlreadyStartedError) return this.existing(workflowId);
      throw error;
    }
  }

  private handle(run: Run | string): WorkflowHandle {
    return this.temporal.workflow.getHandle(typeof run === 'string' ? run : run.workflowId);
  }

  private async existing(workflowId: string): Promise<Run> {
    const { runId } = await this.temporal.workflow.getHandle(workflowId).describe();
    return { workflowId, runId };
  }

  private find(what: Startable | string): Startable | undefined {
    if (typeof what !== 'string') return what;
    if (this.known === undefined) return undefined;
    const found = this.known.get(what);
    if (found !== undefined) return found;
    const names = [...this.known.keys()].sort().join(', ') || 'none';
    throw new SystemError('UnknownDag', `No DAG or task is named ${JSON.stringify(what)}; known are ${names}.`);
  }
}

/** The same checks that `admit` makes, before anything starts. */
function checkInput(startable: Startable, input: object): void {
  const schema = startable.kind === 'dag' ? startable.params : startable.alone.params;
  const { options } = parseRunInput(schema, input, startable.name);
  if (startable.kind === 'dag' && options.stopAfter !== undefined) stopAfter(startable.graph, [options.stopAfter]);
}

const withoutUndefined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const notFound =
  (workflowId: string) =>
  (error: unknown): never => {
    if (error instanceof WorkflowNotFoundError)
      throw new SystemError('NotFound', `No run ${workflowId} is open: "pawl runs" lists those that Temporal knows.`, {
        cause: error,
      });
    throw error;
  };
