// The graph: what `dag()` builds, what `admit` pins and what the planner walks. Plain JSON, no behaviour.
// Imported by workflow code, so it imports nothing.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A path into the parameters (`['params', 'model']`) or into a step's output (`['steps', 'gate', 'passed']`). */
export type ReferencePath = readonly ['params' | 'steps' | 'run', ...(string | number)[]];

/**
 * How a step's input is put together: a literal, a reference, the first of several references whose step succeeded,
 * or an object or list of further bindings.
 */
export type Binding =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'reference'; readonly path: ReferencePath }
  | { readonly kind: 'first'; readonly of: readonly Binding[] }
  | { readonly kind: 'object'; readonly fields: { readonly [key: string]: Binding } }
  | { readonly kind: 'list'; readonly items: readonly Binding[] };

export type Condition =
  | { readonly kind: 'isTrue'; readonly of: Binding }
  | { readonly kind: 'equals'; readonly left: Binding; readonly right: Binding }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'all'; readonly of: readonly Condition[] }
  | { readonly kind: 'any'; readonly of: readonly Condition[] };

/** Airflow's twelve, with Airflow's meaning. */
export const triggerRules = [
  'all_success',
  'all_failed',
  'all_done',
  'all_done_min_one_success',
  'all_skipped',
  'one_failed',
  'one_success',
  'one_done',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'always',
] as const;
export type TriggerRule = (typeof triggerRules)[number];

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** Names a task and what it promises; a worker whose task has another contract refuses the step. */
export interface TaskContract {
  readonly name: string;
  readonly version: string;
  /** SHA-256 over the JSON Schemas of input and output. */
  readonly digest: string;
}

/**
 * - `activity`: the task's `run`, as one activity
 * - `job`: the task's `submit`, `await` and `release`, as three activities, the last one whatever happened
 * - `workflow`: a workflow of Pawl's own, as a child
 */
export type StepKind = 'activity' | 'job' | 'workflow';

export interface Step {
  readonly id: string;
  readonly kind: StepKind;
  readonly task: TaskContract;
  /** For `kind: 'workflow'`: the workflow type that is started. */
  readonly workflowType?: string;
  /** For `kind: 'workflow'`: the child goes on where its parent is terminated. */
  readonly outlivesParent?: true;
  readonly input: Binding;
  /** Ids of the steps it waits for: those its input and condition refer to, and those named by `after`. */
  readonly upstream: readonly string[];
  readonly when?: Condition;
  readonly triggerRule: TriggerRule;
  /** A setup: steps in its scope run only where it succeeded. */
  readonly setup?: true;
  /** Setups further up in whose scope the step stands: it runs only where they succeeded, whatever its trigger rule says. */
  readonly requires?: readonly string[];
  /** On a teardown: the setup steps whose success makes it run, whatever happened in between. */
  readonly teardownOf?: readonly string[];
  readonly retry: RetryPolicy;
  /** How long all attempts together may take. */
  readonly deadlineMs: number;
  /** How long one attempt may take; a job that takes longer is ended, and not submitted again. */
  readonly timeoutMs: number;
  /** Longest silence of an attempt before it counts as dead. */
  readonly heartbeatMs: number;
  /** The worker's own queue where absent. */
  readonly taskQueue?: string;
}

export interface Graph {
  readonly schema: 1;
  readonly name: string;
  /** SHA-256 over the canonical JSON of everything else here. */
  readonly digest: string;
  /** In an order in which every step stands after its upstream. */
  readonly steps: readonly Step[];
  readonly output: Binding;
}

export type StepStatus = 'waiting' | 'running' | 'success' | 'failed' | 'upstream_failed' | 'skipped' | 'cancelled';

export interface StepState {
  readonly status: StepStatus;
  /** Present on success. */
  readonly output?: Json;
  /** Why it failed or was skipped: one sentence. */
  readonly reason?: string;
}
