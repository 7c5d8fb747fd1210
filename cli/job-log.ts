// The log of a step's job: from its host while it is there, and what was kept of it in the bucket afterwards.

import { buffer } from 'node:stream/consumers';
import {
  readClaim,
  refOf,
  type ClaimAddress,
  type CurrentEpoch,
  type JobClaim,
} from '../activities/remote-job/claim.js';
import { SystemError } from '../dag/failures.js';
import { stepKey } from '../dag/step-key.js';
import type { ComputeSystems } from '../systems/compute/port.js';
import { jobLogKey } from '../systems/object-store/keys.js';
import type { ObjectStore } from '../systems/object-store/port.js';
import { meantName } from './meant-name.js';
import type { RunView } from './run-view.js';

const chunkBytes = 256 * 1024;
const seenLength = 2_000;

interface Systems {
  readonly environment: string;
  readonly objects: ObjectStore;
  readonly compute: ComputeSystems;
}

export interface FoundJob {
  readonly step: string;
  readonly current: CurrentEpoch;
  /** Its host has been told to forget it. */
  readonly released: boolean;
}

/** The job of a step, or else of the step that began last. Throws `NotFound`. */
export async function findJob(systems: Systems, run: RunView, step: string | undefined): Promise<FoundJob> {
  const { workflowId, firstRunId, outcome, steps } = run;
  const candidates = step === undefined ? newestFirst(run) : [step];
  if (step !== undefined && steps.length > 0 && !steps.some(({ id }) => id === step))
    throw new SystemError(
      'NotFound',
      `The run ${workflowId} has no step ${JSON.stringify(step)}: ${meantName(
        step,
        steps.map(({ id }) => id),
      )}`,
    );
  for (const id of candidates) {
    const found = jobOf(id, (await readClaim(addressOf(systems, firstRunId, id)))?.claim);
    if (found !== undefined) return found;
  }
  throw new SystemError(
    'NotFound',
    step === undefined
      ? outcome === 'running'
        ? `No step of the run ${workflowId} has begun a job yet: "pawl watch ${workflowId}" shows where it is.`
        : `The run ${workflowId} is over, and none of its steps had a job: "pawl watch ${workflowId}" shows how it ended.`
      : `The step ${step} of the run ${workflowId} has no job: its own log is the worker's.`,
  );
}

const jobOf = (step: string, claim: JobClaim | undefined): FoundJob | undefined =>
  claim?.current == null ? undefined : { step, current: claim.current, released: claim.released };

const newestFirst = ({ steps }: RunView): string[] =>
  steps
    .filter(({ startedAt }) => startedAt !== null)
    .sort((a, b) => (b.startedAt ?? '').localeCompare(a.startedAt ?? ''))
    .map(({ id }) => id);

const addressOf = ({ objects, environment }: Systems, runId: string, step: string): ClaimAddress => ({
  objects,
  environment,
  key: stepKey(runId, step),
});

export class JobLog {
  #offset: number | undefined;
  #epoch = 0;
  /** The end of what was read from the host. */
  #seen = '';

  /** `tailBytes`: at first only so much of what is there. */
  constructor(
    readonly systems: Systems,
    readonly run: RunView,
    readonly options: { readonly step: string; readonly tailBytes: number },
  ) {}

  /** What was written since the last time, and the job as it is now. Throws `Unavailable` where its host is away. */
  async read(): Promise<{ readonly job: FoundJob; readonly text: string }> {
    const job = await findJob(this.systems, this.run, this.options.step);
    if (job.current.epoch !== this.#epoch) {
      // Begun anew, maybe on another host: a log of its own.
      this.#offset = this.#epoch === 0 ? undefined : 0;
      this.#seen = '';
      this.#epoch = job.current.epoch;
    }
    return { job, text: job.released ? await this.#kept(job) : await this.#live(job) };
  }

  async #live({ step, current }: FoundJob): Promise<string> {
    const compute = this.systems.compute.get(current.compute);
    const ref = refOf(addressOf(this.systems, this.run.firstRunId, step), current);
    // What a job writes from now on is for the next time: one that writes faster than this reads would never let it end.
    const { nextOffset: end } = await compute.log(ref, -1, 1);
    const parts: string[] = [];
    for (
      let offset = this.#offset ?? (this.options.tailBytes === Infinity ? 0 : -this.options.tailBytes);
      offset < end;
    ) {
      const wanted = offset < 0 ? chunkBytes : Math.min(chunkBytes, end - offset);
      const { text, nextOffset } = await compute.log(ref, offset, wanted);
      this.#offset = nextOffset;
      if (nextOffset === offset) break;
      parts.push(text);
      this.#seen = (this.#seen + text).slice(-seenLength);
      offset = nextOffset;
    }
    return parts.join('');
  }

  async #kept({ step, current }: FoundJob): Promise<string> {
    const { objects, environment } = this.systems;
    const { key } = addressOf(this.systems, this.run.firstRunId, step);
    const object = jobLogKey(environment, key, current.epoch);
    try {
      const bytes = await buffer((await objects.get(object)).body);
      const kept = bytes.subarray(Math.max(0, bytes.length - this.options.tailBytes)).toString('utf8');
      // Where what was read from the host ends: of a long log only the end is kept, so offsets do not tell.
      const seen = this.#seen === '' ? -1 : kept.lastIndexOf(this.#seen);
      return seen < 0 ? kept : kept.slice(seen + this.#seen.length);
    } catch (error) {
      if (error instanceof SystemError && error.type === 'NotFound') return '';
      throw error;
    }
  }
}
