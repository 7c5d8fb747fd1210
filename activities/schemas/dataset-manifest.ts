// A data set's manifest: written last of all its files, so half a data set does not exist.

import { z } from 'zod';
import { datasetSplits } from './dataset.js';

const counts = z.record(z.string(), z.number().int().nonnegative());

/** How the data looked: what the next data set is compared with, and drift measured against. */
export const datasetProfile = z.object({
  /** Eleven numbers, from the shortest row to the longest. */
  tokenDeciles: z.array(z.number()),
  /** Field → share of the rows that have it, 0 to 1. */
  fields: z.record(z.string(), z.number()),
  /** Field → value → rows, for fields of few values: slices and short completions. */
  categories: z.record(z.string(), counts),
});
export type DatasetProfile = z.infer<typeof datasetProfile>;

export const datasetManifest = z.object({
  schema: z.literal(1),
  id: z.string(),
  model: z.string(),
  /** The data settings, as resolved. */
  settings: z.unknown(),
  input: z.object({
    /** SHA-256 over the (bucket, key, ETag, size) of every source file. */
    fingerprint: z.string(),
    files: z.number().int(),
    sizeBytes: z.number().int(),
    records: z.number().int(),
  }),
  files: z.array(
    z.object({ path: z.string(), sizeBytes: z.number().int(), sha256: z.string(), rows: z.number().int() }),
  ),
  rows: z.record(z.enum(datasetSplits), z.number().int()),
  dropped: counts,
  quarantined: z.object({ rows: z.number().int(), percent: z.number(), uri: z.string().nullable() }),
  masked: counts,
  profile: datasetProfile,
  processedAt: z.iso.datetime(),
  workflowId: z.string(),
});
export type DatasetManifest = z.infer<typeof datasetManifest>;
