// What run_job.py writes last of all: a job has succeeded when, and only when, this object of the current epoch exists.

import { z } from 'zod';
import { SystemError } from '../../dag/failures.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { jobResultKey } from '../../systems/object-store/keys.js';
import type { ClaimAddress } from './claim.js';

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
  const result = (await readJson(address.objects, key, jobResult))?.value;
  if (result === undefined || (result.key === address.key && result.epoch === epoch)) return result;
  const place = `s3://${address.objects.bucketName}/${key}`;
  throw new SystemError('Corrupt', `The result ${place} cannot be used: it is that of another job.`);
}
