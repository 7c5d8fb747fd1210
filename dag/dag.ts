// `dag()`: typed tasks wired into a graph.

import type { z } from 'zod';

import type { StepFunction } from './builder.js';
import { GraphBuilder } from './builder.js';
import type { ResolveContext } from './context.js';
import { jsonSchemaOf } from './contract.js';
import type { Graph } from './graph.js';
import { checkName } from './names.js';
import type { Reference, Unwired, Wirable } from './reference.js';
import { createReference } from './reference.js';
import type { Task } from './task.js';

declare const outputType: unique symbol;

/** A DAG: its graph, what starts it, and the tasks that a worker must have to run it. */
export interface Dag<Params extends z.ZodType = z.ZodType, Output = unknown> {
  readonly kind: 'dag';
  readonly name: string;
  readonly description?: string;
  /** The JSON object that starts a run. */
  readonly params: Params;
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  /** Works out, once a run, what the graph's references to `params` see. Its answer is pinned, so it must be JSON. */
  resolve(params: z.output<Params>, context: ResolveContext): Promise<unknown>;
  /** Holds nothing: carries the type. */
  readonly [outputType]?: Output;
}

/** What a caller writes to start a run. */
export type DagParamsOf<D extends Dag> = z.input<D['params']>;
/** What a run returns; null stands where a step gave nothing (it was skipped, or the run stopped before it). */
export type DagOutputOf<D extends Dag> = D extends Dag<z.ZodType, infer Output> ? Output : never;

/** What the run itself knows. */
export interface RunReferences {
  readonly logicalDate: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly environment: string;
}

export interface DagWiring<Resolved> {
  readonly params: Reference<Resolved>;
  readonly run: Reference<RunReferences>;
  readonly step: StepFunction;
}

export interface DagOptions<Params extends z.ZodType, Resolved extends object> {
  /** Letters, digits, `-`, `_` and `.`; one namespace with the tasks'. */
  readonly name: string;
  readonly description?: string;
  readonly params: Params;
  /**
   * What the references see in place of the bare parameters: those with a model's settings, say. A `SystemError` whose type is
   * retryable is tried again; whatever else it throws ends the run at once.
   */
  readonly resolve?: (params: z.output<Params>, context: ResolveContext) => Promise<Resolved> | Resolved;
}

type DagOutput<Output> = Output extends Wirable ? Unwired<Output, null> : null;

/**
 * Wires tasks into a DAG. `build` is called once, at once, and returns what a run gives back; building the same DAG twice
 * gives the same graph. Throws `InvalidInput`, one sentence that names the step, for every mistake in the wiring.
 */
export function dag<
  Params extends z.ZodType<object>,
  const Output extends Wirable | void,
  Resolved extends object = z.output<Params>,
>(
  options: DagOptions<Params, Resolved>,
  build: (wiring: DagWiring<Resolved>) => Output,
): Dag<Params, DagOutput<Output>> {
  const { name, description, params, resolve } = options;
  checkName('DAG', name);
  jsonSchemaOf(params, 'input', `DAG ${name}: its params`);
  const builder = new GraphBuilder(name);
  const { graph, tasks } = builder.finish(
    build({
      params: createReference<Resolved>(builder.owner, ['params']),
      run: createReference<RunReferences>(builder.owner, ['run']),
      step: builder.step,
    }),
  );
  return Object.freeze({
    kind: 'dag' as const,
    name,
    ...(description === undefined ? {} : { description }),
    params,
    graph,
    tasks,
    resolve: async (given: z.output<Params>, context: ResolveContext): Promise<unknown> =>
      resolve === undefined ? given : resolve(given, context),
  });
}
