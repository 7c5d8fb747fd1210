// Tasks: typed functions with a name, a declared version and schemas, that steps of a DAG call.

import type { z } from 'zod';

import type { ResolveContext, TaskContext } from './context.js';
import { contractOf } from './contract.js';
import { SystemError } from './failures.js';
import type { Step, StepKind, TaskContract } from './graph.js';
import type { LimitOptions, Limits } from './limits.js';
import { limitsOf } from './limits.js';
import { checkName } from './names.js';

/** How a task is started by itself: with a JSON object of its own, from which its input is worked out. */
export interface Alone<In extends z.ZodType = z.ZodType, Params extends z.ZodType = z.ZodType> {
  readonly params: Params;
  resolve(params: z.output<Params>, context: ResolveContext): Promise<z.input<In>> | z.input<In>;
}

interface TaskBase<In extends z.ZodType, Out extends z.ZodType, Params extends z.ZodType> {
  readonly kind: StepKind;
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly input: In;
  readonly output: Out;
  readonly contract: TaskContract;
  readonly limits: Limits;
  readonly alone: Alone<In, Params>;
}

/** A task whose `run` is one activity. */
export interface ActivityTask<
  In extends z.ZodType = z.ZodType,
  Out extends z.ZodType = z.ZodType,
  Params extends z.ZodType = z.ZodType,
> extends TaskBase<In, Out, Params> {
  readonly kind: 'activity';
  run(input: z.output<In>, context: TaskContext): Promise<z.input<Out>> | z.input<Out>;
}

/** A task that hands work to a remote system: three activities, of which the last runs whatever happened. */
export interface JobTask<
  In extends z.ZodType = z.ZodType,
  Out extends z.ZodType = z.ZodType,
  Ref = unknown,
  Params extends z.ZodType = z.ZodType,
> extends TaskBase<In, Out, Params> {
  readonly kind: 'job';
  /** Idempotent by `context.step.key`; answers where the job is, as plain JSON. */
  submit(input: z.output<In>, context: TaskContext): Promise<Ref>;
  /** Finds the job again and waits for its end; never starts one anew. */
  await(input: z.output<In>, ref: Ref, context: TaskContext): Promise<z.input<Out>>;
  /** Idempotent, and not cancelled; `ref` is undefined where no `submit` has answered, though one may have had its effect. */
  release(input: z.output<In>, ref: Ref | undefined, context: TaskContext): Promise<void>;
}

/** A task that is a workflow of Pawl's own. */
export interface WorkflowTask<
  In extends z.ZodType = z.ZodType,
  Out extends z.ZodType = z.ZodType,
  Params extends z.ZodType = z.ZodType,
> extends TaskBase<In, Out, Params> {
  readonly kind: 'workflow';
  readonly workflowType: string;
  /** It goes on where its parent is terminated; otherwise it is asked to cancel then, and cleans up. */
  readonly outlivesParent?: boolean;
}

/** Any task with these schemas, whatever does its work; what a pipeline takes where a stage can be replaced. */
export type Task<
  In extends z.ZodType = z.ZodType,
  Out extends z.ZodType = z.ZodType,
  Params extends z.ZodType = z.ZodType,
> = ActivityTask<In, Out, Params> | JobTask<In, Out, unknown, Params> | WorkflowTask<In, Out, Params>;

/** What a step writes as the input of a task: before its schema's defaults. */
export type InputOf<T extends Task> = z.input<T['input']>;
/** What a step's reference stands for. */
export type OutputOf<T extends Task> = z.output<T['output']>;
/** The JSON object that starts a task by itself. */
export type AloneParamsOf<T extends Task> = z.input<T['alone']['params']>;

export interface TaskOptions<
  In extends z.ZodType,
  Out extends z.ZodType,
  Params extends z.ZodType,
> extends LimitOptions {
  /** Letters, digits, `-`, `_` and `.`; one namespace with the DAGs'. */
  readonly name: string;
  /** Moves on when the task means something else by the same schemas: a worker answers only for the version it has. */
  readonly version: string;
  readonly description?: string;
  readonly input: In;
  readonly output: Out;
  /** How it is started by itself; with its whole input unless set. */
  readonly alone?: Alone<In, Params>;
}

/**
 * A task whose work is one function, run as an activity: tried again as `retry` says, so it must be idempotent
 * (`context.step.key` stays the same through all attempts). Throws `InvalidInput` for a name or a schema that cannot be had.
 */
export function task<In extends z.ZodType, Out extends z.ZodType, Params extends z.ZodType = In>(
  options: TaskOptions<In, Out, Params> & Pick<ActivityTask<In, Out, Params>, 'run'>,
): ActivityTask<In, Out, Params> {
  const base = taskBase('activity', options);
  return Object.freeze({ ...base, kind: 'activity' as const, run: options.run });
}

/** A task whose work runs elsewhere: `submit` answers a reference, `await` waits for the result, `release` always runs last. */
export function jobTask<In extends z.ZodType, Out extends z.ZodType, Ref, Params extends z.ZodType = In>(
  options: TaskOptions<In, Out, Params> & Pick<JobTask<In, Out, Ref, Params>, 'submit' | 'await' | 'release'>,
): JobTask<In, Out, Ref, Params> {
  const base = taskBase('job', options);
  return Object.freeze({
    ...base,
    kind: 'job' as const,
    submit: options.submit,
    await: options.await,
    release: options.release,
  });
}

/** A task that is a workflow of Pawl's own, started as a child with the step's input. */
export function workflowTask<In extends z.ZodType, Out extends z.ZodType, Params extends z.ZodType = In>(
  options: TaskOptions<In, Out, Params> & Pick<WorkflowTask<In, Out, Params>, 'workflowType' | 'outlivesParent'>,
): WorkflowTask<In, Out, Params> {
  const base = taskBase('workflow', options);
  const { workflowType, outlivesParent = false } = options;
  return Object.freeze({ ...base, kind: 'workflow' as const, workflowType, outlivesParent });
}

/** What a step says of the workflow that its task is; nothing for other kinds. */
export const childFields = (task: Task): Pick<Step, 'workflowType' | 'outlivesParent'> =>
  task.kind === 'workflow'
    ? { workflowType: task.workflowType, ...(task.outlivesParent === true ? { outlivesParent: true } : {}) }
    : {};

function taskBase<In extends z.ZodType, Out extends z.ZodType, Params extends z.ZodType>(
  kind: StepKind,
  options: TaskOptions<In, Out, Params>,
): TaskBase<In, Out, Params> {
  const { name, version, description, input, output } = options;
  checkName('task', name);
  if (version === '') throw new SystemError('InvalidInput', `task ${name}: its version is empty; begin with '1'`);
  return {
    kind,
    name,
    version,
    ...(description === undefined ? {} : { description }),
    input,
    output,
    contract: contractOf({ name, version, input, output }),
    limits: limitsOf(kind, options, `task ${name}`),
    alone: options.alone ?? wholeInput(input),
  };
}

/** Only where no `alone` was given, and there `Params` was inferred as `In`. */
function wholeInput<In extends z.ZodType, Params extends z.ZodType>(input: In): Alone<In, Params> {
  const alone: Alone<In, In> = { params: input, resolve: (params) => params as z.input<In> };
  return alone as unknown as Alone<In, Params>;
}
