// Starts a version's server under the epoch that its record says, and writes down where it is and where it answers.

import { SystemError } from '../../dag/failures.js';
import type { ComputeSystems, JobRef } from '../compute/port.js';
import type { ReplicaState } from './port.js';
import { hasEnded, healthyAt, isSameJob, isWanted, launchedAnew } from './record-changes.js';
import type { RecordReading, ServingRecords } from './records.js';
import { serveJob } from './serve-program.js';
import { ServiceJobs } from './service-jobs.js';
import type { Upkeep } from './upkeep.js';

export class Launcher {
  readonly #compute: ComputeSystems;
  readonly #records: ServingRecords;
  readonly #jobs: ServiceJobs;

  constructor(compute: ComputeSystems, records: ServingRecords) {
    this.#compute = compute;
    this.#records = records;
    this.#jobs = new ServiceJobs(compute);
  }

  /** Starts the next epoch, on another host than one that was lost. Throws what `Compute.submit` throws. */
  async relaunch(
    reading: RecordReading,
    how: { reason: string; relaunches: number; lostHost: string | null },
  ): Promise<Upkeep> {
    const { record } = reading;
    const { reason, relaunches, lostHost } = how;
    const avoid = lostHost === null ? [] : [lostHost];
    const next = launchedAnew(record, { relaunches, isLost: lostHost !== null });
    const { launch } = record;
    // The server may live: nothing is given up before there is another place for it.
    if (lostHost !== null) await this.#compute.get(launch.compute).pick(launch.wants, { avoid });
    try {
      await this.submit(await this.#records.move(next, reading), avoid);
    } catch (error) {
      // Another worker was quicker with the very same thing.
      if (error instanceof SystemError && error.type === 'Conflict') return { did: 'nothing', healthy: false };
      throw error;
    }
    return { did: 'relaunched', epoch: next.epoch, reason };
  }

  /** Starts the epoch of the record, or joins it. Throws what `Compute.submit` throws. */
  async submit({ record }: RecordReading, lostHosts: readonly string[] = []): Promise<void> {
    const { launch, key, epoch, predecessor } = record;
    // A host ends an older epoch for a newer one: the predecessor's is left alone, whoever submits.
    const avoid = predecessor === null ? lostHosts : [...lostHosts, predecessor.host];
    const compute = this.#compute.get(launch.compute);
    const { command, files } = serveJob(launch.artifact, launch.command);
    const { wants, environment } = launch;
    const job = await compute.submit({ key, epoch, kind: 'service', command, files, wants, environment }, { avoid });
    const noted = await this.#records.change(record.model, record.version, (current) =>
      current?.epoch === epoch && current.job === null && isWanted(current) ? { ...current, job } : current,
    );
    // It was retired, launched anew, or submitted elsewhere while this was on its way: then nobody else knows of the job.
    if (!isSameJob(noted?.record.job, job)) await compute.remove(job);
  }

  /** A launch that joins a version which has died in the meantime, or which another launch failed to start, starts it anew. */
  async restartDead(reading: RecordReading, ref: JobRef, key: string): Promise<void> {
    if (reading.record.phase === 'launching' && reading.record.key === key) return;
    const job = await this.#jobs.state(ref);
    if (!hasEnded(job)) return;
    await this.relaunch(reading, { reason: await this.#jobs.whyFailed(ref, job), relaunches: 0, lostHost: null });
  }

  /** From here on gateways ask at `url`, unless the version has been launched anew or retired meanwhile. */
  async noteHealthy(reading: RecordReading, url: string): Promise<ReplicaState> {
    const { epoch } = reading.record;
    const noted = await this.#records.change(reading.record.model, reading.record.version, (current) =>
      current?.epoch === epoch && current.phase !== 'retired' ? healthyAt(current, url) : current,
    );
    return noted?.record.url === url ? { phase: 'ready', url } : { phase: 'starting' };
  }
}
