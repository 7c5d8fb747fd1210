// What run_job.py writes last of all: a job has succeeded when, and only when, this object of the current epoch exists.

import { z } from 'zod';
import { SystemError } from '../../dag/failures.js';
import { jobResultKey } from '../../systems/object-store/keys.js';
import type { ClaimAddress } from './claim.js';
import { readJson } from './claim.js';

const shippedOutput = z.object({
  /** `s3://…/`; its `artifact.json` lists every file. */
  uri: z.string().startsWith('s3://'),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().nonnegative(),
});

export const jobResult = z.object({
  schema: z.literal(1),
  key: z.string(),
  epoch: z.number().int().positive(),
  /** What the program left as result.json; empty where it left none. */
  result: z.record(z.string(), z.json()),
  outputs: z.record(z.string(), shippedOutput),
});
export type JobResult = z.infer<typeof jobResult>;

/** `undefined` where the epoch has none (yet). Throws `Corrupt`, `Unavailable`. */
export async function readJobResult(address: ClaimAddress, epoch: number): Promise<JobResult | undefined> {
  const key = jobResultKey(address.environment, address.key, epoch);
  const found = await readJson(address.objects, key);
  if (found === undefined) return undefined;
  const parsed = jobResult.safeParse(found.value);
  if (parsed.success && parsed.data.key === address.key && parsed.data.epoch === epoch) return parsed.data;
  const problem = parsed.success ? 'it is that of another job' : z.prettifyError(parsed.error);
  throw new SystemError('Corrupt', `The result s3://${address.objects.bucketName}/${key} cannot be used: ${problem}.`);
}
