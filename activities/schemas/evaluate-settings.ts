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
  maxExamples: count.optional(),
  /** `latency` gives latencyP50Ms and latencyP95Ms, of one request at a time. */
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

export const evaluateSettings = z
  .strictObject({
    suites: z.array(suite).min(1).refine(ownNames, 'every suite needs a name of its own').prefault([{}]),
    /** Fields of a row's `slices` whose values are measured one by one: `language` gives `language=de`, … */
    slices: z.array(z.string().min(1)).default([]),
    /** Of each field, the values with the most examples. */
    maxSliceValues: count.default(20),
    batchSize: count.default(16),
    /** Resamplings of the bootstrap intervals. */
    bootstrapSamples: count.default(1_000),
    confidence: z.number().min(0.5).max(0.9999).default(0.95),
    seed: z.number().int().nonnegative().default(0),
    precision: z.enum(['auto', 'bf16', 'fp32']).default('auto'),
    /** `auto`: as each model was trained. */
    promptFormat: z.enum(['auto', 'plain', 'chat']).default('auto'),
    threads: count.optional(),
    ...jobPlaces,
    timeLimitMs: jobPlaces.timeLimitMs.default(6 * hourMs),
    ...ownProgram,
  })
  .prefault({});

export type EvaluateSettings = z.output<typeof evaluateSettings>;
