// A Compute within this process, for unit tests: programs are functions, and hosts can be lost and restarted at will.

import { SystemError } from '../../dag/failures.js';
import { checkFilePath } from './job-paths.js';
import type { Compute, HostCapacity, JobListing, JobRef, JobState, JobSubmission, Places } from './port.js';

export interface MemoryJob {
  /** The command with its placeholders replaced. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Map<string, string>;
  /** Aborts on SIGTERM; a program that goes on is forgotten after the grace time. */
  readonly signal: AbortSignal;
  write(text: string): void;
}

/** Answers the exit code. */
export type MemoryProgram = (job: MemoryJob) => Promise<number> | number;

export interface MemoryComputeSettings {
  readonly name: string;
  /** One host `memory` with 2 GPUs and 16 GiB unless set. */
  readonly hosts?: Readonly<Record<string, Places>>;
  /** By the first word of the command, before anything is replaced in it. */
  readonly programs: Readonly<Record<string, MemoryProgram>>;
}

interface Running {
  readonly job: JobSubmission;
  readonly startedAt: string;
  readonly url?: string;
  readonly files: Map<string, string>;
  readonly stop: AbortController;
  log: Buffer;
  state: JobState;
  ended: Promise<void>;
  finish(exitCode: number, timedOut: boolean): void;
}

interface Host {
  readonly declared: Places;
  readonly jobs: Map<string, Running>;
  readonly epochs: Map<string, { seen: number; removed: number }>;
  away: boolean;
}

const idOf = ({ key, epoch }: { key: string; epoch: number }): string => JSON.stringify([key, epoch]);

export class MemoryCompute implements Compute {
  readonly name: string;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #programs: Readonly<Record<string, MemoryProgram>>;
  #port = 20_000;

  constructor(settings: MemoryComputeSettings) {
    const hosts = settings.hosts ?? { memory: { gpus: 2, memoryBytes: 16 * 2 ** 30 } };
    this.name = settings.name;
    this.#programs = settings.programs;
    this.#hosts = new Map(
      Object.entries(hosts).map(([name, declared]) => [
        name,
        { declared, jobs: new Map(), epochs: new Map(), away: false },
      ]),
    );
  }

  /** The host answers no more, though its jobs go on; `false` brings it back. */
  setAway(host: string, away: boolean): void {
    this.#hostOf(host).away = away;
  }

  /** Everything that runs there is gone. */
  restart(host: string): void {
    for (const running of this.#hostOf(host).jobs.values()) {
      if (running.state.phase !== 'running') continue;
      running.state = { phase: 'lost', host, reason: 'the host was restarted while the job ran', gone: true };
      running.stop.abort();
    }
  }

  async capacity(): Promise<readonly HostCapacity[]> {
    return [...this.#hosts].map(([host, { declared, away }]) => ({
      host,
      declared,
      free: away ? { gpus: 0, memoryBytes: 0 } : this.#free(host),
      reachable: !away,
      ...(away && { reason: `The host ${host} does not answer.` }),
    }));
  }

  async pick(wants: Places, options: { avoid?: readonly string[] } = {}): Promise<string> {
    const [first] = (await this.capacity())
      .filter(({ host, free, reachable }) => reachable && fits(wants, free) && options.avoid?.includes(host) !== true)
      .sort((left, right) => right.free.gpus - left.free.gpus || right.free.memoryBytes - left.free.memoryBytes);
    if (first === undefined) {
      const ever = [...this.#hosts.values()].some(({ declared }) => fits(wants, declared));
      throw new SystemError(
        'NoCapacity',
        `No host of the compute ${this.name} has room for the job.`,
        ever ? {} : { retryable: false },
      );
    }
    return first.host;
  }

  async submit(job: JobSubmission, options: { host?: string; avoid?: readonly string[] } = {}): Promise<JobRef> {
    for (const path of Object.keys(job.files)) checkFilePath(path);
    if (job.epoch < 1 || job.command.length === 0 || (job.kind === 'batch' && job.timeLimitMs === undefined))
      throw new SystemError('InvalidInput', 'A job needs an epoch from 1, a command, and for a batch a time limit.');
    const holder = [...this.#hosts].find(([, { jobs, away }]) => !away && jobs.has(idOf(job)))?.[0];
    const name = options.host ?? holder ?? (await this.#placeFor(job, options.avoid));
    const host = this.#answering(name);
    const epochs = host.epochs.get(job.key) ?? { seen: 0, removed: 0 };
    if (job.epoch < epochs.seen || (job.kind === 'batch' && job.epoch <= epochs.removed))
      throw new SystemError('Conflict', `The host ${name} refuses epoch ${job.epoch} of the job ${job.key}.`);
    const ref = { compute: this.name, host: name, key: job.key, epoch: job.epoch };
    if (host.jobs.has(idOf(job))) return ref;
    if (!fits(job.wants, host.declared))
      throw new SystemError('NoCapacity', `The host ${name} declares fewer places.`, { retryable: false });
    host.epochs.set(job.key, { ...epochs, seen: job.epoch });
    for (const older of host.jobs.values()) {
      if (older.job.key === job.key && older.job.epoch < job.epoch) await this.#end(older, 0);
    }
    if (!fits(job.wants, this.#free(name)))
      throw new SystemError('NoCapacity', `The host ${name} has no room for the job.`);
    this.#start(name, host, job);
    return ref;
  }

  async state(job: JobRef): Promise<JobState | undefined> {
    const host = this.#hosts.get(job.host);
    if (host === undefined || host.away)
      return { phase: 'lost', host: job.host, reason: `The host ${job.host} does not answer.` };
    return host.jobs.get(idOf(job))?.state;
  }

  async log(job: JobRef, offset: number, maxBytes: number): Promise<{ text: string; nextOffset: number }> {
    const log = this.#answering(job.host).jobs.get(idOf(job))?.log ?? Buffer.alloc(0);
    const from = offset < 0 ? Math.max(0, log.length + offset) : offset;
    const chunk = log.subarray(from, from + maxBytes);
    return { text: chunk.toString(), nextOffset: from + chunk.length };
  }

  async readFile(job: JobRef, path: string): Promise<string | undefined> {
    return this.#answering(job.host).jobs.get(idOf(job))?.files.get(checkFilePath(path));
  }

  async end(job: JobRef, options: { graceMs?: number } = {}): Promise<void> {
    const running = this.#answering(job.host).jobs.get(idOf(job));
    if (running !== undefined) await this.#end(running, options.graceMs ?? 10_000);
  }

  async remove(job: JobRef): Promise<void> {
    const host = this.#answering(job.host);
    const epochs = host.epochs.get(job.key) ?? { seen: 0, removed: 0 };
    host.epochs.set(job.key, {
      seen: Math.max(epochs.seen, job.epoch),
      removed: Math.max(epochs.removed, job.epoch),
    });
    await this.end(job);
    host.jobs.delete(idOf(job));
  }

  async *list(): AsyncGenerator<JobListing> {
    for (const [name, host] of this.#hosts) {
      if (host.away) continue;
      for (const { job, state } of host.jobs.values())
        yield { key: job.key, epoch: job.epoch, kind: job.kind, host: name, state };
    }
  }

  #start(name: string, host: Host, job: JobSubmission): void {
    const startedAt = new Date().toISOString();
    const values: Readonly<Record<string, string>> = {
      '{python}': 'python',
      '{dir}': `/memory/${job.key}`,
      '{host}': '127.0.0.1',
      '{port}': String(this.#port++),
    };
    const fill = (word: string): string =>
      word.replace(/\{(?:python|dir|host|port)\}/g, (found) => values[found] ?? found);
    const wantsPort = [...job.command, ...Object.values(job.environment)].some((word) => word.includes('{port}'));
    const stop = new AbortController();
    let settle = (): void => {};
    const running: Running = {
      job,
      startedAt,
      files: new Map(Object.entries(job.files)),
      stop,
      log: Buffer.alloc(0),
      state: {
        phase: 'running',
        startedAt,
        host: name,
        ...(wantsPort && { url: `http://127.0.0.1:${values['{port}'] ?? ''}` }),
      },
      ended: new Promise((resolve) => (settle = resolve)),
      finish(exitCode, timedOut) {
        settle();
        if (running.state.phase !== 'running') return;
        const endedAt = new Date().toISOString();
        running.state = { phase: 'exited', host: name, startedAt, endedAt, exitCode, timedOut };
      },
    };
    host.jobs.set(idOf(job), running);
    const limit =
      job.timeLimitMs === undefined ? undefined : setTimeout(() => void this.#end(running, 0, true), job.timeLimitMs);
    const program = this.#programs[job.command[0] ?? ''];
    const call = async (): Promise<number> =>
      program === undefined
        ? 127
        : await program({
            command: job.command.map(fill),
            environment: Object.fromEntries(Object.entries(job.environment).map(([key, value]) => [key, fill(value)])),
            files: running.files,
            signal: stop.signal,
            write: (text) => (running.log = Buffer.concat([running.log, Buffer.from(text)])),
          });
    void call()
      .catch(() => 1)
      .then((exitCode) => running.finish(stop.signal.aborted && exitCode === 0 ? 143 : exitCode, false))
      .finally(() => clearTimeout(limit));
  }

  async #end(running: Running, graceMs: number, timedOut = false): Promise<void> {
    if (running.state.phase !== 'running') return;
    if (timedOut) running.finish(124, true);
    running.stop.abort();
    if (graceMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([running.ended, new Promise((resolve) => (timer = setTimeout(resolve, graceMs)))]);
      clearTimeout(timer);
    }
    running.finish(137, false);
  }

  async #placeFor(job: JobSubmission, avoid: readonly string[] | undefined): Promise<string> {
    return await this.pick(job.wants, avoid === undefined ? {} : { avoid });
  }

  #free(name: string): Places {
    const { declared, jobs } = this.#hostOf(name);
    let { gpus, memoryBytes } = declared;
    for (const { job, state } of jobs.values()) {
      if (state.phase !== 'running') continue;
      gpus -= job.wants.gpus;
      memoryBytes -= job.wants.memoryBytes;
    }
    return { gpus, memoryBytes };
  }

  #hostOf(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new SystemError('Unavailable', `The compute ${this.name} has no host ${name}.`);
    return host;
  }

  #answering(name: string): Host {
    const host = this.#hostOf(name);
    if (host.away) throw new SystemError('Unavailable', `The host ${name} does not answer.`);
    return host;
  }
}

const fits = (wants: Places, places: Places): boolean =>
  places.gpus >= wants.gpus && places.memoryBytes >= wants.memoryBytes;
