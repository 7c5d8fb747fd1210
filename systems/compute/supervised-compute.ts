// A named group of supervised hosts as one Compute: finds the host that has a job, or has room for one.

import { SystemError } from '../../dag/failures.js';
import { checkFilePath } from './job-paths.js';
import type { Compute, JobListing, JobRef, JobState, JobSubmission, Places } from './port.js';
import type { SupervisedHost } from './supervised-host.js';

/** Given to every job beside its own variables: credentials for the object store, asked for anew at each submission. */
export type JobEnvironment = () => Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;

const defaultGraceMs = 10_000;

export class SupervisedCompute implements Compute {
  readonly name: string;
  readonly #hosts: ReadonlyMap<string, SupervisedHost>;
  readonly #environment: JobEnvironment;

  constructor(name: string, hosts: readonly SupervisedHost[], environment: JobEnvironment = () => ({})) {
    if (hosts.length === 0)
      throw new SystemError('InvalidInput', `The compute ${name} has no hosts: name at least one.`);
    this.name = name;
    this.#hosts = new Map(hosts.map((host) => [host.name, host]));
    this.#environment = environment;
    if (this.#hosts.size !== hosts.length)
      throw new SystemError('InvalidInput', `The compute ${name} has two hosts of one name: name each its own way.`);
  }

  async capacity(): Promise<readonly { host: string; declared: Places; free: Places; reachable: boolean }[]> {
    return await Promise.all(
      [...this.#hosts.values()].map(async (host) => {
        const { name, declared } = host;
        try {
          return { host: name, declared, free: await host.free(), reachable: true };
        } catch (error) {
          if (!isAway(error)) throw error;
          return { host: name, declared, free: { gpus: 0, memoryBytes: 0 }, reachable: false };
        }
      }),
    );
  }

  async pick(wants: Places, options: { avoid?: readonly string[] } = {}): Promise<string> {
    const [first] = await this.#withRoom(wants, options.avoid ?? []);
    if (first === undefined) throw this.#noRoom(wants, options.avoid ?? []);
    return first;
  }

  async submit(job: JobSubmission, options: { host?: string; avoid?: readonly string[] } = {}): Promise<JobRef> {
    const { key, epoch } = job;
    for (const path of Object.keys(job.files)) checkFilePath(path);
    const full = { ...job, environment: { ...(await this.#environment()), ...job.environment } };
    const ref = (host: string): JobRef => ({ compute: this.name, host, key, epoch });
    if (options.host !== undefined) {
      await this.#host(options.host).submit(full);
      return ref(options.host);
    }
    const holder = await this.#holder(job);
    if (holder !== undefined) return ref(holder);
    const avoid = options.avoid ?? [];
    // A single host is asked in any case: it knows whether it has the job already.
    const single = this.#hosts.size === 1 ? [...this.#hosts.keys()].filter((host) => !avoid.includes(host)) : undefined;
    for (const host of single ?? (await this.#withRoom(job.wants, avoid))) {
      try {
        await this.#host(host).submit(full);
        return ref(host);
      } catch (error) {
        // Somebody else was quicker: the next host may still have room.
        if (!(error instanceof SystemError && error.type === 'NoCapacity')) throw error;
      }
    }
    throw this.#noRoom(job.wants, avoid);
  }

  async state(job: JobRef): Promise<JobState | undefined> {
    try {
      return await this.#host(job.host).state(job);
    } catch (error) {
      if (!isAway(error)) throw error;
      return { phase: 'lost', host: job.host, reason: (error as SystemError).message };
    }
  }

  async log(job: JobRef, offset: number, maxBytes: number): Promise<{ text: string; nextOffset: number }> {
    return await this.#host(job.host).log(job, offset, maxBytes);
  }

  async readFile(job: JobRef, path: string): Promise<string | undefined> {
    return await this.#host(job.host).readFile(job, checkFilePath(path));
  }

  async end(job: JobRef, options: { graceMs?: number } = {}): Promise<void> {
    await this.#host(job.host).end(job, options.graceMs ?? defaultGraceMs);
  }

  async remove(job: JobRef): Promise<void> {
    await this.#host(job.host).remove(job, defaultGraceMs);
  }

  /** Leaves out hosts that are away: what they run cannot be known. */
  async *list(): AsyncGenerator<JobListing> {
    for (const host of this.#hosts.values()) {
      try {
        yield* await host.list();
      } catch (error) {
        if (!isAway(error)) throw error;
      }
    }
  }

  /** Lets go of connections; what runs on the hosts goes on. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
  }

  #host(name: string): SupervisedHost {
    const host = this.#hosts.get(name);
    if (host !== undefined) return host;
    const known = [...this.#hosts.keys()].join(', ');
    throw new SystemError('NotFound', `The compute ${this.name} has no host ${name}: it has ${known}.`);
  }

  /** Asks only where there is a choice: a single host joins by itself. */
  async #holder(job: JobSubmission): Promise<string | undefined> {
    if (this.#hosts.size === 1) return undefined;
    const states = await Promise.all(
      [...this.#hosts.keys()].map((host) => this.state({ compute: this.name, host, key: job.key, epoch: job.epoch })),
    );
    return states.find((state) => state !== undefined && (state.phase !== 'lost' || state.gone === true))?.host;
  }

  /** The host with most room left first, so that load spreads. */
  async #withRoom(wants: Places, avoid: readonly string[]): Promise<readonly string[]> {
    const fits = (places: Places): boolean => places.gpus >= wants.gpus && places.memoryBytes >= wants.memoryBytes;
    const capacity = await this.capacity();
    return capacity
      .filter(({ host, free, reachable }) => reachable && fits(free) && !avoid.includes(host))
      .sort((left, right) => right.free.gpus - left.free.gpus || right.free.memoryBytes - left.free.memoryBytes)
      .map(({ host }) => host);
  }

  #noRoom(wants: Places, avoid: readonly string[]): SystemError {
    const wish = `${wants.gpus} GPUs and ${(wants.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
    const ever = [...this.#hosts.values()].some(
      ({ declared }) => declared.gpus >= wants.gpus && declared.memoryBytes >= wants.memoryBytes,
    );
    if (!ever)
      return new SystemError(
        'NoCapacity',
        `No host of the compute ${this.name} declares ${wish}: ask for less, or add a host that has it.`,
        { retryable: false },
      );
    const given = avoid.length === 0 ? '' : ` (given up: ${avoid.join(', ')})`;
    return new SystemError('NoCapacity', `No host of the compute ${this.name} answers and has ${wish} free${given}.`);
  }
}

const isAway = (error: unknown): boolean => error instanceof SystemError && error.type === 'Unavailable';
