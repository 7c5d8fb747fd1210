// What evaluate gives: metrics with their sample counts and confidence intervals, for slices too.

import { z } from 'zod';

const samples = z.number().int().nonnegative();

const metricValue = z.object({
  /** null: it could not be computed (NaN does not survive JSON). */
  value: z.number().nullable(),
  samples,
  /** Its confidence interval; absent where a metric has none. */
  low: z.number().optional(),
  high: z.number().optional(),
  /** Why there is no value, where that is not plain: "its tokenizer has another vocabulary, …". */
  why: z.string().optional(),
  /** The candidate less the champion, on the examples that both have, with the interval of that. */
  difference: z.object({ value: z.number(), low: z.number(), high: z.number(), samples }).optional(),
});

export const metricTable = z.record(z.string(), metricValue);

export const evaluationReport = z.object({
  datasetId: z.string(),
  metrics: metricTable,
  /** Slice (`language=de`) → metric → value. */
  slices: z.record(z.string(), metricTable),
  /** The champion on the very same examples; null where the endpoint has none. */
  champion: z
    .object({ version: z.number().int(), metrics: metricTable, slices: z.record(z.string(), metricTable) })
    .nullable(),
  /** One row an example, as JSONL. */
  examplesUri: z.string(),
});
export type EvaluationReport = z.infer<typeof evaluationReport>;
