// What dag-run and its activities say to each other. Types only: workflow code imports them.

import type { RunIdentity, TriggerKind } from '../../dag/context.js';
import type { Graph, Json, TaskContract } from '../../dag/graph.js';
import type { RunRecordAnswer, RunRecordWrite } from './run-record.js';

export interface AdmitRequest {
  /** The workflow type that was started: the name of a DAG or of a task. */
  readonly name: string;
  /** The one JSON object that the run was started with. */
  readonly input: unknown;
  readonly workflowId: string;
  readonly runId: string;
  readonly trigger: TriggerKind;
  /** ISO 8601, UTC. */
  readonly logicalDate: string;
}

/** What a run is pinned to from its first moment on. */
export interface Admission {
  readonly run: RunIdentity;
  readonly graph: Graph;
  readonly params: Json;
  /** The model that the run is about, where it is about one. */
  readonly model?: string;
  readonly stopAfter?: string;
  readonly dryRun: boolean;
  /** How long a step waits for a worker that has its task. */
  readonly deployWaitMs: number;
}

/** Of the first detail of every failure to admit a run: whose lists it belongs to, which the run itself cannot know. */
export interface AdmissionFailureDetails {
  readonly environment: string;
}

/** Of the first detail of an `UnknownDag` failure. */
export interface UnknownDagDetails {
  readonly deployWaitMs: number;
}

/** The one argument of every step's activity. */
export interface StepEnvelope {
  readonly input: Json;
  readonly contract: TaskContract;
  readonly run: RunIdentity;
  readonly step: { readonly id: string; readonly key: string };
  /** For `await` and `release`: what `submit` answered. */
  readonly job?: Json;
  /** For a job: which submission this is about, counted from 1; the same for every attempt of its three activities. */
  readonly submission?: number;
}

/** The one argument of a step that is a workflow. */
export interface WorkflowStepEnvelope {
  readonly input: Json;
  readonly run: RunIdentity;
  readonly step: { readonly id: string; readonly key: string };
}

export interface StepAnswer {
  readonly output: Json;
  /** The attempt that gave it, counted from 1. */
  readonly attempt: number;
}

export interface EngineActivities {
  admit(request: AdmitRequest): Promise<Admission>;
  writeRunRecord(write: RunRecordWrite): Promise<RunRecordAnswer>;
}
