// What fine-tune gives: a folder of files in the object store, a digest for each.

import { z } from 'zod';

export const artifactRef = z.object({
  /** `s3://bucket/models/<model>/artifacts/<digest>/`; its `artifact.json` (path, size and SHA-256 of every file) is written last. */
  uri: z.string().startsWith('s3://'),
  /** SHA-256 over the canonical list of (path, size, SHA-256) of its files. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().nonnegative(),
});
