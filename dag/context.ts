// What a task's code is given beside its input.

import type { Systems } from '../systems/systems.js';
import type { Json } from './graph.js';

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type TriggerKind = 'manual' | 'schedule' | 'alert' | 'parent';

export interface RunIdentity {
  readonly dag: string;
  readonly environment: string;
  readonly workflowId: string;
  /** The first run id of the workflow: the same through resets and continue-as-new. */
  readonly runId: string;
  /** ISO 8601, UTC: the scheduled time, or the start of a run that no schedule started. */
  readonly logicalDate: string;
  readonly trigger: TriggerKind;
  readonly reason?: string;
  /** Who asked for the run, where that is known. */
  readonly by?: string;
}

export interface StepIdentity {
  readonly id: string;
  /** Counts from 1. */
  readonly attempt: number;
  /**
   * The idempotency key of the step's effects, made of the first run id and the step: the same for every attempt.
   * Fit for an S3 key and a file name.
   */
  readonly key: string;
}

export interface TaskContext {
  readonly systems: Systems;
  readonly log: Logger;
  /** Reports liveness and what a later attempt needs to go on (at most a few KB). */
  readonly progress: (details?: Json) => void;
  /** What the last attempt reported last, if there was one. */
  readonly lastProgress: Json | undefined;
  /** Aborts when the run is cancelled, the attempt times out, or the worker shuts down. */
  readonly signal: AbortSignal;
  readonly run: RunIdentity;
  readonly step: StepIdentity;
}

/** What `resolve` is given beside the parameters: it runs once, in `admit`, and its answer is pinned with the run. */
export interface ResolveContext {
  readonly systems: Systems;
  /** The models' files that the worker was started with, by name. */
  readonly models: ReadonlyMap<string, unknown>;
  /** ISO 8601, UTC. */
  readonly logicalDate: string;
  readonly environment: string;
}
