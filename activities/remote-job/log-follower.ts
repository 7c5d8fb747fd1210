// Reads a job's log as it grows: the newest progress line on the way, and its last lines at the end.

import { SystemError } from '../../dag/failures.js';
import type { Json } from '../../dag/graph.js';
import type { Compute, JobRef } from '../../systems/compute/port.js';

const marker = 'PAWL-PROGRESS ';
const chunkBytes = 256 * 1024;
/** Of what is further behind, only the newest chunk is read: whoever waits for the job has more to look at. */
const chunksAtOnce = 16;
const tailBytes = 32 * 1024;
const tailLines = 20;
const longestLine = 2_000;

/** `unread`: the host did not answer, so nobody knows. */
export type LogReading = 'more' | 'nothing' | 'unread';

export class LogFollower {
  readonly #compute: Compute;
  readonly #job: JobRef;
  #offset: number;
  #partial = '';
  #progress: Json | undefined;
  #staging: Json | undefined;

  constructor(compute: Compute, job: JobRef, offset: number) {
    this.#compute = compute;
    this.#job = job;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  /** What the program said last of its progress. */
  get progress(): Json | undefined {
    return this.#progress;
  }

  /** What the runner around it said last of what it brings and ships. */
  get staging(): Json | undefined {
    return this.#staging;
  }

  /** Reads on, and leaps to the end where that is far; answers whether there was anything. */
  async read(): Promise<LogReading> {
    for (let chunk = 0; chunk < chunksAtOnce; chunk += 1) {
      const reading = await this.#readFrom(this.#offset);
      if (reading !== 'more') return chunk > 0 ? 'more' : reading;
    }
    this.#partial = '';
    await this.#readFrom(-chunkBytes);
    return 'more';
  }

  async #readFrom(offset: number): Promise<LogReading> {
    const more = await orNothing(this.#compute.log(this.#job, offset, chunkBytes));
    if (more === undefined) return 'unread';
    if (more.nextOffset === this.#offset) return 'nothing';
    this.#offset = more.nextOffset;
    const lines = (this.#partial + more.text).split('\n');
    this.#partial = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) {
      const progress = line.startsWith(marker) ? parse(line.slice(marker.length)) : undefined;
      if (progress === undefined) continue;
      if (typeof progress === 'object' && progress !== null && 'staging' in progress) this.#staging = progress;
      else this.#progress = progress;
    }
    return 'more';
  }

  /** The last lines that are not progress. */
  async tail(): Promise<readonly string[]> {
    const end = await orNothing(this.#compute.log(this.#job, -tailBytes, tailBytes));
    return (end?.text ?? '')
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith(marker))
      .slice(-tailLines)
      .map((line) => line.slice(0, longestLine));
  }
}

async function orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof SystemError && error.type === 'Unavailable') return undefined;
    throw error;
  }
}

/** Heartbeats carry it, so a line that is too long is left out, and one that is not JSON too. */
function parse(text: string): Json | undefined {
  if (text.length > longestLine) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
