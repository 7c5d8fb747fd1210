// The closed table of failures: every way in which a step can fail has one name here, and whether trying again can help.
// Imported by workflow code, so it imports nothing.

interface FailureKind {
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean;
  /** What an operator reads in `pawl doctor` and the docs. */
  readonly meaning: string;
}

export const failures = {
  InvalidInput: { retryable: false, meaning: 'the parameters, the settings or the data are wrong' },
  InvalidOutput: { retryable: false, meaning: 'a task returned something that its own output schema refuses' },
  UnknownDag: { retryable: true, meaning: 'no worker on this task queue knows the DAG' },
  TaskContractMissing: {
    retryable: true,
    meaning: 'no worker on this task queue has the task in the declared version',
  },
  NotFound: { retryable: false, meaning: 'an object, version, endpoint or host does not exist' },
  Conflict: { retryable: false, meaning: 'someone else changed the same thing first' },
  Unavailable: { retryable: true, meaning: 'a system did not answer, or answered that it is busy' },
  CredentialsExpired: { retryable: true, meaning: 'a system refused credentials that were good before' },
  PermissionDenied: { retryable: false, meaning: 'a system refused the credentials' },
  IntegrityFailed: { retryable: true, meaning: 'bytes arrived that do not match their digest' },
  Corrupt: { retryable: false, meaning: 'a stored object cannot be read as what it should be' },
  NoCapacity: { retryable: true, meaning: 'no host has the places that the job wants at the moment' },
  JobFailed: { retryable: true, meaning: 'a remote program ended with an error' },
  JobTimedOut: { retryable: false, meaning: 'a remote program ran into its hard time limit' },
  HostLost: { retryable: true, meaning: 'a training or serving host stopped answering' },
  DataRejected: { retryable: false, meaning: 'the data set breaks what the model expects of it' },
  RolloutRefused: { retryable: false, meaning: 'another rollout of the endpoint is on trial' },
  DeadlineExceeded: { retryable: false, meaning: 'a deadline passed' },
  StepFailed: { retryable: false, meaning: 'a step of a run failed' },
  Cancelled: { retryable: false, meaning: 'a person or a parent cancelled the run' },
  TaskFailed: { retryable: true, meaning: "a task's code threw an error that no other type here describes" },
  Internal: { retryable: false, meaning: 'a defect in Pawl' },
} as const satisfies Record<string, FailureKind>;

export type FailureType = keyof typeof failures;

export const isFailureType = (name: string): name is FailureType => Object.hasOwn(failures, name);

export interface SystemErrorOptions {
  /** Plain data for programs: ids, bounds, problem lists. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Overrides the table, for a system that knows better (an S3 503 is retryable, its 501 is not). */
  readonly retryable?: boolean;
}

/** What systems and tasks throw: a failure type and one sentence with what is wrong, where, and what to do. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly type: FailureType;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(type: FailureType, message: string, options: SystemErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.retryable = options.retryable ?? failures[type].retryable;
    this.details = options.details ?? {};
  }
}
