// The jobs that versions run as, on their hosts: how they are, why they failed, and their end.

import { SystemError } from '../../dag/failures.js';
import type { ComputeSystems, JobRef, JobState } from '../compute/port.js';

const logTailBytes = 2_000;

export class ServiceJobs {
  readonly #compute: ComputeSystems;

  constructor(compute: ComputeSystems) {
    this.#compute = compute;
  }

  /** What its host keeps because it does not answer is left to the reaper. */
  async removeIfThere(job: JobRef | null): Promise<void> {
    if (job === null) return;
    try {
      await this.#compute.get(job.compute).remove(job);
    } catch (error) {
      if (!(error instanceof SystemError && error.type === 'Unavailable')) throw error;
    }
  }

  /** As `Compute.end`: what it leaves behind can be read. */
  async end(job: JobRef): Promise<void> {
    await this.#compute.get(job.compute).end(job);
  }

  /** As `Compute.state`. */
  async state(ref: JobRef): Promise<JobState | undefined> {
    return this.#compute.get(ref.compute).state(ref);
  }

  /** In one sentence, with the end of the log where its host gives it. */
  async whyFailed(ref: JobRef, job: JobState | undefined): Promise<string> {
    if (job === undefined) return `The host ${ref.host} knows nothing of the job ${ref.key}.`;
    if (job.phase === 'lost') return job.reason;
    const how = job.phase === 'exited' ? `The server ended with exit code ${job.exitCode}` : 'The server runs';
    try {
      const { text } = await this.#compute.get(ref.compute).log(ref, -logTailBytes, logTailBytes);
      return `${how} on ${ref.host}; the end of its log: ${text.trim()}`;
    } catch {
      return `${how} on ${ref.host}.`;
    }
  }
}
