// The first act of every run: checks its parameters, works out what they stand for, and pins the graph.

import { TemporalFailure } from '@temporalio/common';
import { z } from 'zod';
import type { ResolveContext } from '../../dag/context.js';
import { SystemError } from '../../dag/failures.js';
import type { Graph, Json } from '../../dag/graph.js';
import { parseRunInput } from '../../dag/run-options.js';
import { stopAfter } from '../../dag/stop-after.js';
import type { Systems } from '../../systems/systems.js';
import { graphOfTask, namesOf, type Catalog } from './catalog.js';
import type { AdmissionFailureDetails, AdmitRequest, Admission, UnknownDagDetails } from './protocol.js';

export interface AdmitSettings {
  readonly catalog: Catalog;
  readonly systems: Systems;
  /** The models' files, by name. */
  readonly models: ReadonlyMap<string, unknown>;
  readonly deployWaitMs: number;
}

/**
 * Throws `UnknownDag`, `InvalidInput` (every problem and its path), the `SystemError` that resolving the parameters throws, and
 * `TaskFailed`, not to be tried again, for anything else that the author's code throws.
 */
export async function admit(settings: AdmitSettings, request: AdmitRequest): Promise<Admission> {
  try {
    return await admitted(settings, request);
  } catch (error) {
    throw withEnvironment(error, settings.systems.environment);
  }
}

async function admitted(settings: AdmitSettings, request: AdmitRequest): Promise<Admission> {
  const { systems, models, deployWaitMs } = settings;
  const { name, input, trigger, logicalDate, workflowId, runId } = request;
  const entry = startable(settings, name);
  const { params, options } = await authored(`the params of ${entry.what}`, () =>
    parseRunInput(entry.schema, input, name, { ofStep: trigger === 'parent' }),
  );
  const context = { systems, models, logicalDate, environment: systems.environment };
  const resolved = await authored(`resolve of ${entry.what}`, async () =>
    plainJson(await entry.resolve(params, context)),
  );
  const model = modelOf(params) ?? modelOf(resolved);
  return {
    run: {
      dag: name,
      environment: systems.environment,
      workflowId,
      runId,
      logicalDate,
      trigger,
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      ...(options.by === undefined ? {} : { by: options.by }),
    },
    graph: options.stopAfter === undefined ? entry.graph : stopAfter(entry.graph, [options.stopAfter]),
    params: resolved,
    ...(model === undefined ? {} : { model }),
    ...(options.stopAfter === undefined ? {} : { stopAfter: options.stopAfter }),
    // What declares it itself looks before it answers: a rollback says which version it would go back to.
    dryRun: options.dryRun === true && fieldOf(params, 'dryRun') !== true,
    deployWaitMs,
  };
}

/** Runs an author's code. What it throws beside a `SystemError` is a defect of it, which trying again would only meet again. */
async function authored<T>(what: string, code: () => T | Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (cause) {
    if (cause instanceof SystemError || cause instanceof TemporalFailure) throw cause;
    if (cause instanceof z.ZodError) {
      const problems = cause.issues.map(({ path, message }) =>
        path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
      );
      throw new SystemError('InvalidInput', `${what} refused what it was given: ${problems.join('; ')}`, { cause });
    }
    const said = String(cause).replaceAll(/\s+/g, ' ');
    throw new SystemError('TaskFailed', `${what} threw "${said}": mend it, deploy it and start the run anew.`, {
      cause,
      retryable: false,
    });
  }
}

function withEnvironment(error: unknown, environment: string): unknown {
  if (!(error instanceof SystemError)) return error;
  const { type, message, retryable, cause } = error;
  const details = { ...error.details, ...({ environment } satisfies AdmissionFailureDetails) };
  return new SystemError(type, message, { details, retryable, cause });
}

interface Startable {
  /** `DAG nightly`, `task measure`. */
  readonly what: string;
  readonly graph: Graph;
  readonly schema: z.ZodType;
  resolve(params: unknown, context: ResolveContext): Promise<unknown>;
}

function startable({ catalog, deployWaitMs }: AdmitSettings, name: string): Startable {
  const dag = catalog.dags.get(name);
  if (dag !== undefined)
    return {
      what: `DAG ${name}`,
      graph: dag.graph,
      schema: dag.params,
      resolve: async (params, context) => dag.resolve(params, context),
    };
  const task = catalog.tasks.get(name);
  if (task !== undefined)
    return {
      what: `task ${name}`,
      graph: graphOfTask(task),
      schema: task.alone.params,
      resolve: async (params, context) => task.alone.resolve(params, context),
    };
  const details: UnknownDagDetails = { deployWaitMs };
  throw new SystemError(
    'UnknownDag',
    `No DAG or task is named ${JSON.stringify(name)} here; known are ${namesOf(catalog).join(', ') || 'none'}.`,
    { details: { ...details } },
  );
}

/** What is kept in the history: without what JSON leaves out. */
const plainJson = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null)) as Json;

/** By convention: a parameter `model` that is a name, or an object that has one. */
function modelOf(params: unknown): string | undefined {
  const model = fieldOf(params, 'model');
  if (typeof model === 'string') return model;
  const name = fieldOf(model, 'name');
  return typeof name === 'string' ? name : undefined;
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
