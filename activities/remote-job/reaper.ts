// Ends jobs that nobody waits for any more: batch jobs whose run is closed, services that no serving record names.

import type { Logger } from '../../dag/context.js';
import type { ComputeSystems, JobListing, JobRef } from '../../systems/compute/port.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import type { JobClaim } from './claim.js';
import { keyOfHostKey, readClaim } from './claim.js';
import { releaseKey } from './release-job.js';

export interface ReaperSurroundings {
  readonly objects: ObjectStore;
  readonly environment: string;
  readonly compute: ComputeSystems;
  readonly log: Logger;
  /** `unknown` proves nothing: Temporal forgets closed runs, and does not answer at times. */
  runStatus(run: JobClaim['run']): Promise<'open' | 'closed' | 'unknown'>;
  /** `false` only where it is known that nobody wants the service any more: another environment's is wanted. */
  serviceIsWanted(job: JobRef): Promise<boolean>;
  /** A service younger than this may not be written down yet: ten minutes unless set. */
  readonly youngestServiceMs?: number;
}

export interface Reaped {
  readonly compute: string;
  readonly host: string;
  readonly key: string;
  readonly kind: JobListing['kind'];
}

const defaultYoungestServiceMs = 10 * 60_000;

/**
 * Looks at every host once; answers what was ended or removed. Jobs of other environments are let alone, and what cannot be
 * looked at or ended is named in the log and keeps nothing else from being.
 */
export async function reapJobs(surroundings: ReaperSurroundings): Promise<readonly Reaped[]> {
  const { log } = surroundings;
  const reaped: Reaped[] = [];
  for (const name of surroundings.compute.names) {
    // Read whole before anything changes below it.
    for (const listing of await listed(name, surroundings)) {
      const { host, key, epoch, kind } = listing;
      const job = { compute: name, host, key, epoch };
      try {
        const gone =
          kind === 'batch' ? await reapBatch(listing, surroundings) : await reapService(job, listing, surroundings);
        if (!gone) continue;
        log.warn({ compute: name, host, key, kind }, 'ended a job that nobody waits for');
        reaped.push({ compute: name, host, key, kind });
      } catch (error) {
        log.warn({ compute: name, host, key, kind, error: sentence(error) }, 'a job could not be looked at or ended');
      }
    }
  }
  return reaped;
}

async function listed(name: string, { compute, log }: ReaperSurroundings): Promise<readonly JobListing[]> {
  const found: JobListing[] = [];
  try {
    for await (const listing of compute.get(name).list()) found.push(listing);
  } catch (error) {
    log.warn({ compute: name, error: sentence(error) }, 'the jobs of a compute could not be listed whole');
  }
  return found;
}

async function reapBatch(listing: JobListing, surroundings: ReaperSurroundings): Promise<boolean> {
  const { objects, environment, compute } = surroundings;
  const key = keyOfHostKey(environment, listing.key);
  if (key === undefined) return false;
  const address = { objects, environment, key };
  const stored = await readClaim(address);
  // Without a claim nobody can say whose it is; its own time limit ends it.
  if (stored === undefined || (await surroundings.runStatus(stored.claim.run)) !== 'closed') return false;
  const { unreachable } = await releaseKey(address, compute, { run: stored.claim.run, patienceMs: 0 });
  return !unreachable.includes(listing.host);
}

async function reapService(job: JobRef, { state }: JobListing, surroundings: ReaperSurroundings): Promise<boolean> {
  const youngestMs = surroundings.youngestServiceMs ?? defaultYoungestServiceMs;
  if (state.phase === 'lost' && state.gone !== true) return false;
  if (state.phase === 'running' && Date.now() - Date.parse(state.startedAt) < youngestMs) return false;
  if (await surroundings.serviceIsWanted(job)) return false;
  await surroundings.compute.get(job.compute).remove(job);
  return true;
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
