// What feature-engineering gives: an immutable, content-addressed data set in the object store.

import { z } from 'zod';

export const datasetSplits = ['train', 'validation', 'test'] as const;

export const datasetRef = z.object({
  /** SHA-256 over the canonical list of its files' digests and its settings: same inputs, same id. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  /** `s3://bucket/datasets/<model>/<id>/`; its `manifest.json` is written last. */
  uri: z.string().startsWith('s3://'),
  rows: z.object({ train: z.number().int(), validation: z.number().int(), test: z.number().int() }),
});
export type DatasetRef = z.infer<typeof datasetRef>;
