// What the lifecycle needs of a machine that runs programs: batch jobs that end, and services that stay.

export interface Places {
  readonly gpus: number;
  readonly memoryBytes: number;
}

export interface HostCapacity {
  readonly host: string;
  readonly declared: Places;
  readonly free: Places;
  readonly reachable: boolean;
  /** Why it cannot be reached. */
  readonly reason?: string;
}

export interface JobSubmission {
  /** Decided and written down before the submission; a second submission under the same key and epoch joins the first. */
  readonly key: string;
  /** Moves on when a host was given up; a host refuses an epoch older than one it has seen. */
  readonly epoch: number;
  readonly kind: 'batch' | 'service';
  /**
   * Program and arguments, never a shell line. `{python}`, `{dir}` (the job's folder), `{port}` (a free one) and
   * `{host}` (the address to listen on) are replaced by the host's own, here and in the environment's values.
   */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Small files put into the job's folder before it starts, by relative path. */
  readonly files: Readonly<Record<string, string>>;
  readonly wants: Places;
  /** The host ends the whole process group then, whoever watches. Required for a batch job. */
  readonly timeLimitMs?: number;
}

/** `lost`: the host does not answer, refuses us, or has forgotten the job; nobody can say whether it still runs. */
export type JobState =
  | { readonly phase: 'running'; readonly startedAt: string; readonly host: string; readonly url?: string }
  | {
      readonly phase: 'exited';
      readonly host: string;
      readonly startedAt: string;
      readonly endedAt: string;
      /** 128 + signal number where a signal ended it. */
      readonly exitCode: number;
      readonly timedOut: boolean;
    }
  | {
      readonly phase: 'lost';
      readonly host: string;
      readonly reason: string;
      /** The host answers, and the job certainly runs no more: no need to wait for it. */
      readonly gone?: true;
    };

export interface JobListing {
  readonly key: string;
  readonly epoch: number;
  readonly kind: 'batch' | 'service';
  readonly host: string;
  readonly state: JobState;
}

/** A job's address: what `submit` answers, and every other call needs. Plain data, safe to keep in a history. */
export interface JobRef {
  readonly compute: string;
  readonly host: string;
  readonly key: string;
  readonly epoch: number;
}

/**
 * One host or a named group of hosts. Throws SystemError: `NoCapacity`, `Unavailable` (a host that is away, or that the settings
 * do not name), `PermissionDenied` (a host key or login that is refused), `InvalidInput`.
 */
export interface Compute {
  readonly name: string;
  /** Declared and free places, host by host. Throws `PermissionDenied` only where every host refuses us. */
  capacity(): Promise<readonly HostCapacity[]>;
  /** When the credentials end that a job submitted now would be given; absent or `undefined` where they do not, or are the host's own. */
  credentialsExpireAt?(): Promise<Date | undefined>;
  /** Names a host that has room now, so that it can be written down before the submission. Throws `NoCapacity`. */
  pick(wants: Places, options?: { avoid?: readonly string[] }): Promise<string>;
  /**
   * Idempotent by key and epoch, also once the job has ended. `host` names the only host to use; without it, one that has the
   * job or has room is found, and `avoid` names those that were given up. Throws `NoCapacity` before anything is started, and
   * `Conflict` for an epoch older than one that the host has seen, or a batch job that was removed.
   */
  submit(job: JobSubmission, options?: { host?: string; avoid?: readonly string[] }): Promise<JobRef>;
  /**
   * Never throws for a host that is away, refuses us, or is no longer in the settings: that is `lost`. `undefined`: the host
   * answers, and never saw the job.
   */
  state(job: JobRef): Promise<JobState | undefined>;
  /**
   * The log (standard output and error together) from a byte offset on; a negative one counts from the end. Of a very long log
   * the middle may be left out: a sentence stands for it, and offsets go on counting every byte.
   */
  log(job: JobRef, offset: number, maxBytes: number): Promise<{ text: string; nextOffset: number }>;
  /** A file of at most 1 MiB out of the job's folder; `undefined` where there is none. `InvalidInput`: the path leads out of it. */
  readFile(job: JobRef, path: string): Promise<string | undefined>;
  /** Ends the whole process group: SIGTERM, then SIGKILL after `graceMs`. Idempotent. `Unavailable`: even so it lives. */
  end(job: JobRef, options?: { graceMs?: number }): Promise<void>;
  /**
   * Ends it and removes its folder. Idempotent. `Unavailable`: it lives even so, and keeps its places. A batch job stays removed: its epoch is refused from now on, also where it was
   * never seen. A service may be submitted again, which is how one that died is launched anew.
   */
  remove(job: JobRef): Promise<void>;
  /** What the reaper reads, of the hosts that can be reached. */
  list(): AsyncIterable<JobListing>;
}

export interface ComputeSystems {
  /** Throws `NotFound` with the known names. */
  get(name: string): Compute;
  readonly names: readonly string[];
}
