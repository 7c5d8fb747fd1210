// The first act of every run: checks its parameters, works out what they stand for, and pins the graph.

import type { z } from 'zod';
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

/** Throws `UnknownDag`, `InvalidInput` (every problem and its path), and what resolving the parameters throws. */
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
  const { params, options } = parseRunInput(entry.schema, input, name);
  const context = { systems, models, logicalDate, environment: systems.environment };
  const resolved = plainJson(await entry.resolve(params, context));
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

function withEnvironment(error: unknown, environment: string): unknown {
  if (!(error instanceof SystemError)) return error;
  const { type, message, retryable, cause } = error;
  const details = { ...error.details, ...({ environment } satisfies AdmissionFailureDetails) };
  return new SystemError(type, message, { details, retryable, cause });
}

interface Startable {
  readonly graph: Graph;
  readonly schema: z.ZodType;
  resolve(params: unknown, context: ResolveContext): Promise<unknown>;
}

function startable({ catalog, deployWaitMs }: AdmitSettings, name: string): Startable {
  const dag = catalog.dags.get(name);
  if (dag !== undefined)
    return { graph: dag.graph, schema: dag.params, resolve: async (params, context) => dag.resolve(params, context) };
  const task = catalog.tasks.get(name);
  if (task !== undefined)
    return {
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
