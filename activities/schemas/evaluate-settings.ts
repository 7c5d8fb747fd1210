// How a model is evaluated: the `evaluate` part of a model's file.

import { z } from 'zod';
import { datasetSplits } from './dataset.js';
import { hourMs, jobPlaces, ownProgram } from './job-places.js';

const count = z.number().int().positive();

const evaluationMetrics = ['perplexity', 'exactMatch', 'f1', 'rougeL', 'latency'] as const;

const suite = z.strictObject({
  /** Metrics of `main` have bare names (`exactMatch`), those of any other suite are called `<suite>.<metric>`. */
  name: z
    .string()
    .regex(/^[A-Za-z][\w-]*$/, 'must be a letter, then letters, digits, _ and -')
    .default('main'),
  split: z.enum(datasetSplits).default('test'),
  /** Drawn from the whole split, the same ones for every model; all of them where absent. */
  maxExamples: count.optional(),
  /** `perplexity` gives bitsPerByte too; `latency` gives latencyP50Ms and latencyP95Ms, of one request at a time. */
  metrics: z
    .array(z.enum(evaluationMetrics))
    .min(1)
    .default([...evaluationMetrics]),
  maxNewTokens: count.default(64),
  latencyExamples: count.default(32),
  /** An answer ends before the first of these. */
  stop: z.array(z.string().min(1)).default([]),
});

const ownNames = (suites: readonly { name: string }[]): boolean =>
  new Set(suites.map(({ name }) => name)).size === suites.length;

/** What Pawl's own program of evaluation is told; the rest says where it runs. */
export const measuringSettings = z.object({
  suites: z.array(suite).min(1).refine(ownNames, 'every suite needs a name of its own').prefault([{}]),
  /** Of `data.slices`, the fields whose values are measured one by one (`language` gives `language=de`, …); all where absent. */
  slices: z.array(z.string().min(1)).optional(),
  /** Of each field, the values with the most examples. */
  maxSliceValues: count.default(20),
  batchSize: count.default(16),
  /** Resamplings of the bootstrap intervals. */
  bootstrapSamples: count.default(1_000),
  /** Of the bootstrap intervals. */
  confidence: z.number().min(0.5).max(0.9999).default(0.95),
  /** Of the resamplings, and of the examples drawn where a suite does not take all. */
  seed: z.number().int().nonnegative().default(0),
  precision: z.enum(['auto', 'bf16', 'fp32']).default('auto'),
  /** `auto`: as each model was trained. */
  promptFormat: z.enum(['auto', 'plain', 'chat']).default('auto'),
  threads: count.optional(),
});

/** Of all that evaluate does: waiting for a host and going on elsewhere included. */
export const evaluateDeadline = '4d';

export const evaluateSettings = z
  .strictObject({
    ...measuringSettings.shape,
    ...jobPlaces,
    timeLimitMs: jobPlaces.timeLimitMs
      .max(3 * 24 * hourMs, 'must be at most 259200000 (3 days), since the whole stage has 4 days')
      .default(6 * hourMs),
    ...ownProgram,
  })
  .prefault({});

export type EvaluateSettings = z.output<typeof evaluateSettings>;
