// The run record: what reruns, reports and history read of a run, after Temporal has forgotten it.

import { z } from 'zod';
import type { Graph, Json } from '../../dag/graph.js';

const json = z.custom<Json>((value) => value !== undefined);

/** Whole where it is small; else its size, and Temporal or the step's own objects have it. */
const outputReference = z.union([z.object({ value: json }), z.object({ sizeBytes: z.number().int() })]);

export const stepRecord = z.object({
  status: z.enum(['waiting', 'running', 'success', 'failed', 'upstream_failed', 'skipped', 'cancelled']),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  /** Of the attempt that ended the step, counted from 1. */
  attempts: z.number().int().optional(),
  output: outputReference.optional(),
  /** What the step says itself in a field `outcome` of its output. */
  outcome: z.string().optional(),
  reason: z.string().optional(),
  failureType: z.string().optional(),
});
export type StepRecord = z.infer<typeof stepRecord>;

/** What does not change while the run lasts. */
export const runRecordHead = z.object({
  run: z.object({
    dag: z.string(),
    environment: z.string(),
    workflowId: z.string(),
    runId: z.string(),
    logicalDate: z.string(),
    trigger: z.enum(['manual', 'schedule', 'alert', 'parent']),
    reason: z.string().optional(),
    by: z.string().optional(),
  }),
  model: z.string().optional(),
  graph: z.custom<Graph>((value) => typeof value === 'object' && value !== null),
  params: json,
  stopAfter: z.string().optional(),
  dryRun: z.boolean(),
  startedAt: z.iso.datetime(),
});
export type RunRecordHead = z.infer<typeof runRecordHead>;

export const runRecordState = z.object({
  /** `terminated` is written by the reaper: a terminated run cannot write. */
  status: z.enum(['running', 'completed', 'failed', 'cancelled', 'terminated']),
  outcome: z.string().optional(),
  endedAt: z.iso.datetime().optional(),
  output: outputReference.optional(),
  error: z.object({ type: z.string(), message: z.string(), step: z.string().optional() }).optional(),
});
export type RunRecordState = z.infer<typeof runRecordState>;

export const runRecord = z.object({
  schema: z.literal(1),
  /** Rises with every write; an older write never replaces a newer one. */
  sequence: z.number().int().positive(),
  ...runRecordHead.shape,
  ...runRecordState.shape,
  steps: z.record(z.string(), stepRecord),
});
export type RunRecord = z.infer<typeof runRecord>;
