// The claim of a job's key: which epoch counts, and on which host it is. Written by compare-and-set before anything is submitted.

import { z } from 'zod';
import { canonicalJson } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import type { JobRef } from '../../systems/compute/port.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { jobClaimKey } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';

const place = z.object({ compute: z.string(), host: z.string(), epoch: z.number().int().positive() });

export const jobClaim = z.object({
  schema: z.literal(1),
  key: z.string(),
  run: z.object({ dag: z.string(), workflowId: z.string(), runId: z.string() }),
  /** Only this epoch's result counts, and an epoch never changes its host. `null`: released before anything was submitted. */
  current: place
    .extend({
      /** The submission (attempt of the step) that began the epoch. */
      submission: z.number().int().positive(),
      settingsDigest: z.string(),
      claimedAt: z.iso.datetime(),
      /** The host has answered that it has the job. */
      submitted: z.boolean(),
      /** Why the epoch came to nothing, once that is known: the next submission begins another. */
      ended: z.object({ reason: z.enum(['lost', 'failed']), sentence: z.string() }).optional(),
    })
    .nullable(),
  earlier: z.array(place),
  /** No epoch may begin any more. */
  released: z.boolean(),
});
export type JobClaim = z.infer<typeof jobClaim>;
export type CurrentEpoch = NonNullable<JobClaim['current']>;

export interface StoredClaim {
  readonly claim: JobClaim;
  readonly etag: string;
}

export interface ClaimAddress {
  readonly objects: ObjectStore;
  readonly environment: string;
  readonly key: string;
}

const hostKeyPrefix = (environment: string): string => `${environment}/`;

/** A host may serve several environments, so the key that it sees holds the environment's name. */
export const hostKeyOf = (environment: string, key: string): string => `${hostKeyPrefix(environment)}${key}`;

/** The key within the environment; `undefined` for a job of another one. */
export const keyOfHostKey = (environment: string, hostKey: string): string | undefined =>
  hostKey.startsWith(hostKeyPrefix(environment)) ? hostKey.slice(hostKeyPrefix(environment).length) : undefined;

export const refOf = (
  { environment, key }: Pick<ClaimAddress, 'environment' | 'key'>,
  { compute, host, epoch }: z.infer<typeof place>,
): JobRef => ({ compute, host, key: hostKeyOf(environment, key), epoch });

/** Throws `Corrupt`, `Unavailable`. */
export async function readClaim({ objects, environment, key }: ClaimAddress): Promise<StoredClaim | undefined> {
  const claimKey = jobClaimKey(environment, key);
  try {
    const found = await readJson(objects, claimKey, jobClaim);
    return found && { claim: found.value, etag: found.etag };
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
    throw new SystemError(
      'Corrupt',
      `The claim s3://${objects.bucketName}/${claimKey} cannot be read: see whether its job still runs, then delete it.`,
      { cause: error },
    );
  }
}

/** Writes over what was read; `undefined` where somebody else was quicker. */
export async function writeClaim(
  { objects, environment, key }: ClaimAddress,
  claim: JobClaim,
  over: StoredClaim | undefined,
): Promise<StoredClaim | undefined> {
  try {
    const condition = over === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: over.etag };
    const { etag } = await objects.put(jobClaimKey(environment, key), JSON.stringify(claim), {
      ...condition,
      contentType: 'application/json',
    });
    return { claim, etag };
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Conflict')) throw error;
    // The answer to an earlier try may have been lost: then what is there is this very claim.
    const stored = await readClaim({ objects, environment, key });
    return stored !== undefined && canonicalJson(stored.claim) === canonicalJson(claim) ? stored : undefined;
  }
}

/** Notes that the host has taken the job of an epoch; where somebody else writes at the same time, the note is not needed. */
export async function noteSubmitted(address: ClaimAddress, epoch: number): Promise<void> {
  const stored = await readClaim(address);
  const current = stored?.claim.current;
  if (stored === undefined || current?.epoch !== epoch || current.submitted) return;
  await writeClaim(address, { ...stored.claim, current: { ...current, submitted: true } }, stored);
}

/** Notes why an epoch came to nothing, unless it is no longer the current one. */
export async function endEpoch(
  address: ClaimAddress,
  epoch: number,
  ended: NonNullable<CurrentEpoch['ended']>,
): Promise<void> {
  for (;;) {
    const stored = await readClaim(address);
    const current = stored?.claim.current;
    if (stored === undefined || current?.epoch !== epoch || current.ended !== undefined) return;
    if (await writeClaim(address, { ...stored.claim, current: { ...current, ended } }, stored)) return;
  }
}
