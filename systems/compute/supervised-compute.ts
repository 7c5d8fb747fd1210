// A named group of supervised hosts as one Compute: finds the host that has a job, or has room for one.

import { SystemError } from '../../dag/failures.js';
import { hostsWithRoom, noRoom } from './choose-host.js';
import { checkFilePath } from './job-paths.js';
import type { Compute, HostCapacity, JobListing, JobRef, JobState, JobSubmission, Places } from './port.js';
import type { SupervisedHost } from './supervised-host.js';

/** Given to every job beside its own variables: credentials for the object store, asked for anew at each submission. */
export type JobEnvironment = () => Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;

export interface JobSurroundings {
  readonly environment?: JobEnvironment;
  /** When the credentials among them end; never unless set. */
  readonly credentialsExpireAt?: () => Promise<Date | undefined>;
}

const defaultGraceMs = 10_000;

export class SupervisedCompute implements Compute {
  readonly name: string;
  readonly #hosts: ReadonlyMap<string, SupervisedHost>;
  readonly #surroundings: JobSurroundings;

  constructor(name: string, hosts: readonly SupervisedHost[], surroundings: JobSurroundings = {}) {
    if (hosts.length === 0)
      throw new SystemError('InvalidInput', `The compute ${name} has no hosts: name at least one.`);
    this.name = name;
    this.#hosts = new Map(hosts.map((host) => [host.name, host]));
    this.#surroundings = surroundings;
    if (this.#hosts.size !== hosts.length)
      throw new SystemError('InvalidInput', `The compute ${name} has two hosts of one name: name each its own way.`);
  }

  async capacity(): Promise<readonly HostCapacity[]> {
    const refusals: SystemError[] = [];
    const capacity = await Promise.all(
      [...this.#hosts.values()].map(async (host): Promise<HostCapacity> => {
        const { name, declared } = host;
        try {
          return { host: name, declared, free: await host.free(), reachable: true };
        } catch (error) {
          if (!isOutOfReach(error)) throw error;
          if (error.type === 'PermissionDenied') refusals.push(error);
          return { host: name, declared, free: { gpus: 0, memoryBytes: 0 }, reachable: false, reason: error.message };
        }
      }),
    );
    // One host that was set up anew is no reason to do without the others; where all refuse, waiting mends nothing.
    const [refusal] = refusals;
    if (refusal !== undefined && refusals.length === capacity.length) throw refusal;
    return capacity;
  }

  async credentialsExpireAt(): Promise<Date | undefined> {
    return await this.#surroundings.credentialsExpireAt?.();
  }

  async pick(wants: Places, { avoid = [] }: { avoid?: readonly string[] } = {}): Promise<string> {
    const capacity = await this.capacity();
    const [first] = hostsWithRoom(capacity, { wants, avoid });
    if (first === undefined) throw noRoom(this.name, capacity, { wants, avoid });
    return first;
  }

  async submit(job: JobSubmission, options: { host?: string; avoid?: readonly string[] } = {}): Promise<JobRef> {
    const { key, epoch } = job;
    for (const path of Object.keys(job.files)) checkFilePath(path);
    const full = { ...job, environment: { ...(await this.#surroundings.environment?.()), ...job.environment } };
    const ref = (host: string): JobRef => ({ compute: this.name, host, key, epoch });
    const wish = { wants: job.wants, avoid: options.avoid ?? [] };
    const named = options.host ?? this.#single(wish.avoid);
    if (named !== undefined) {
      await this.#host(named).submit(full);
      return ref(named);
    }
    const holder = await this.#holder(job);
    if (holder !== undefined) return ref(holder);
    const capacity = await this.capacity();
    for (const host of hostsWithRoom(capacity, wish)) {
      try {
        await this.#host(host).submit(full);
        return ref(host);
      } catch (error) {
        // Somebody else was quicker: the next host may still have room.
        if (!(error instanceof SystemError && error.type === 'NoCapacity')) throw error;
      }
    }
    throw noRoom(this.name, capacity, wish);
  }

  async state(job: JobRef): Promise<JobState | undefined> {
    try {
      return await this.#host(job.host).state(job);
    } catch (error) {
      if (!isOutOfReach(error)) throw error;
      return { phase: 'lost', host: job.host, reason: error.message };
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

  /** Leaves out hosts that are away or refuse us: what they run cannot be known. */
  async *list(): AsyncGenerator<JobListing> {
    for (const host of this.#hosts.values()) {
      try {
        yield* await host.list();
      } catch (error) {
        if (!isOutOfReach(error)) throw error;
      }
    }
  }

  /** Lets go of connections; what runs on the hosts goes on. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
  }

  /** A host that the settings do not name is away: it was taken out of them, or another worker's newer ones name it. */
  #host(name: string): SupervisedHost {
    const host = this.#hosts.get(name);
    if (host !== undefined) return host;
    const known = [...this.#hosts.keys()].join(', ');
    throw new SystemError(
      'Unavailable',
      `The compute ${this.name} has no host ${name} in its settings, only ${known}.`,
    );
  }

  /** It is asked in any case: it knows whether it has the job already, and whether it has room. */
  #single(avoid: readonly string[]): string | undefined {
    const [only, ...others] = this.#hosts.keys();
    return only === undefined || others.length > 0 || avoid.includes(only) ? undefined : only;
  }

  /** Of those that answer, so that a job which runs is joined. */
  async #holder(job: JobSubmission): Promise<string | undefined> {
    const states = await Promise.all(
      [...this.#hosts.keys()].map((host) => this.state({ compute: this.name, host, key: job.key, epoch: job.epoch })),
    );
    return states.find((state) => state !== undefined && (state.phase !== 'lost' || state.gone === true))?.host;
  }
}

/** Nothing can be learnt of such a host: it does not answer, or refuses us since it was set up anew. */
const isOutOfReach = (error: unknown): error is SystemError =>
  error instanceof SystemError && (error.type === 'Unavailable' || error.type === 'PermissionDenied');
