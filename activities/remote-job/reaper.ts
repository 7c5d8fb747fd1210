// Ends jobs that nobody waits for any more: batch jobs whose run is closed, services that no endpoint and no rollout wants.

import type { Logger } from '../../dag/context.js';
import type { ComputeSystems, JobListing } from '../../systems/compute/port.js';
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
  /** Whether an endpoint names the service, or a rollout is open that may want it; asked with the key of its submission. */
  serviceIsWanted(key: string): Promise<boolean>;
  /** A service younger than this may belong to a rollout that is not yet to be seen: ten minutes unless set. */
  readonly youngestServiceMs?: number;
}

export interface Reaped {
  readonly compute: string;
  readonly host: string;
  readonly key: string;
  readonly kind: JobListing['kind'];
}

const defaultYoungestServiceMs = 10 * 60_000;

/** Looks at every host once; answers what was ended or removed. Jobs of other environments are let alone. */
export async function reapJobs(surroundings: ReaperSurroundings): Promise<readonly Reaped[]> {
  const reaped: Reaped[] = [];
  for (const name of surroundings.compute.names) {
    const compute = surroundings.compute.get(name);
    // Read whole before anything changes below it.
    const listed: JobListing[] = [];
    for await (const listing of compute.list()) listed.push(listing);
    for (const listing of listed) {
      const { host, key, kind } = listing;
      const gone =
        kind === 'batch' ? await reapBatch(listing, surroundings) : await reapService(name, listing, surroundings);
      if (!gone) continue;
      surroundings.log.warn({ compute: name, host, key, kind }, 'ended a job that nobody waits for');
      reaped.push({ compute: name, host, key, kind });
    }
  }
  return reaped;
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

async function reapService(name: string, listing: JobListing, surroundings: ReaperSurroundings): Promise<boolean> {
  const { key, epoch, host, state } = listing;
  const youngestMs = surroundings.youngestServiceMs ?? defaultYoungestServiceMs;
  if (state.phase === 'lost' && state.gone !== true) return false;
  if (state.phase === 'running' && Date.now() - Date.parse(state.startedAt) < youngestMs) return false;
  if (await surroundings.serviceIsWanted(key)) return false;
  await surroundings.compute.get(name).remove({ compute: name, host, key, epoch });
  return true;
}
