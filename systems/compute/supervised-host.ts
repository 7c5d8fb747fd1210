// One host that runs jobs under the supervisor: says what the verbs mean, and checks every word that comes back.

import { z } from 'zod';
import { SystemError } from '../../dag/failures.js';
import type { FailureType } from '../../dag/failures.js';
import type { JobListing, JobState, JobSubmission, Places } from './port.js';

export type SupervisorVerb = 'submit' | 'state' | 'log' | 'read-file' | 'end' | 'remove' | 'list' | 'capacity';

/** How a verb reaches the supervisor: `Unavailable` where the host does not answer, `PermissionDenied` where it refuses us. */
export interface SupervisorTransport {
  call(verb: SupervisorVerb, input: string, timeoutMs: number): Promise<string>;
  close(): Promise<void>;
}

export interface HostSettings {
  readonly name: string;
  /** An absolute folder of its own on the host; made where it is missing. */
  readonly root: string;
  /** What jobs may take there, all together. */
  readonly places: Places;
  /** The interpreter that `{python}` stands for; the one that runs the supervisor unless set. */
  readonly python?: string;
  /** The address that services listen on: 127.0.0.1 unless set. */
  readonly listenOn?: string;
  /** The address under which services are reached: `listenOn` unless set. */
  readonly address?: string;
  /** Where the kernel tells one boot from the next; only tests set another. */
  readonly bootIdFile?: string;
}

const callTimeoutMs = 60_000;

const stateAnswer = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('running'), startedAt: z.string(), host: z.string(), url: z.string().optional() }),
  z.object({
    phase: z.literal('exited'),
    host: z.string(),
    startedAt: z.string(),
    endedAt: z.string(),
    exitCode: z.number().int(),
    timedOut: z.boolean(),
  }),
  z.object({ phase: z.literal('lost'), host: z.string(), reason: z.string(), gone: z.literal(true) }),
]);
const places = z.object({ gpus: z.number().int(), memoryBytes: z.number() });

const answers = {
  submit: z.object({ state: stateAnswer.nullable(), joined: z.boolean() }),
  state: z.object({ state: stateAnswer.nullable() }),
  log: z.object({ text: z.string(), nextOffset: z.number().int() }),
  'read-file': z.object({ text: z.string().nullable() }),
  end: z.object({}),
  remove: z.object({}),
  list: z.object({
    jobs: z.array(
      z.object({
        key: z.string(),
        epoch: z.number().int(),
        kind: z.enum(['batch', 'service']),
        state: stateAnswer,
      }),
    ),
  }),
  capacity: z.object({ declared: places, free: places }),
} satisfies Record<SupervisorVerb, z.ZodType>;

const refusal = z.object({
  ok: z.literal(false),
  error: z.string(),
  message: z.string(),
  details: z.object({ never: z.boolean().optional() }),
});
const refusalTypes: Readonly<Record<string, FailureType>> = {
  InvalidInput: 'InvalidInput',
  NoCapacity: 'NoCapacity',
  Conflict: 'Conflict',
};

/** zod gives `url: undefined` where the port says that the field is absent. */
const stateOf = (answer: z.infer<typeof stateAnswer> | null): JobState | undefined => {
  if (answer === null) return undefined;
  if (answer.phase !== 'running') return answer;
  const { url, ...rest } = answer;
  return url === undefined ? rest : { ...rest, url };
};

type JobName = { readonly key: string; readonly epoch: number };

/** Every method throws `Unavailable` where the host does not answer, or answers what cannot be understood. */
export class SupervisedHost {
  readonly name: string;
  readonly declared: Places;
  readonly #host: Readonly<Record<string, unknown>>;
  readonly #transport: SupervisorTransport;

  constructor(settings: HostSettings, transport: SupervisorTransport) {
    const { name, root, places: declared, python, listenOn = '127.0.0.1', address = listenOn, bootIdFile } = settings;
    if (!root.startsWith('/'))
      throw new SystemError(
        'InvalidInput',
        `The host ${name} has the root ${JSON.stringify(root)}: give an absolute folder.`,
      );
    this.name = name;
    this.declared = declared;
    this.#host = {
      name,
      root,
      places: declared,
      listenOn,
      address,
      ...(python && { python }),
      ...(bootIdFile && { bootIdFile }),
    };
    this.#transport = transport;
  }

  /** Throws `NoCapacity`, `Conflict`, `InvalidInput`. */
  async submit(job: JobSubmission): Promise<JobState | undefined> {
    return stateOf((await this.#call('submit', { ...job })).state);
  }

  async state(job: JobName): Promise<JobState | undefined> {
    return stateOf((await this.#call('state', name(job))).state);
  }

  async log(job: JobName, offset: number, maxBytes: number): Promise<{ text: string; nextOffset: number }> {
    return await this.#call('log', { ...name(job), offset, maxBytes: Math.max(4, maxBytes) });
  }

  async readFile(job: JobName, path: string): Promise<string | undefined> {
    return (await this.#call('read-file', { ...name(job), path })).text ?? undefined;
  }

  async end(job: JobName, graceMs: number): Promise<void> {
    await this.#call('end', { ...name(job), graceMs }, callTimeoutMs + graceMs);
  }

  async remove(job: JobName, graceMs: number): Promise<void> {
    await this.#call('remove', { ...name(job), graceMs }, callTimeoutMs + graceMs);
  }

  async list(): Promise<readonly JobListing[]> {
    const { jobs } = await this.#call('list', {});
    return jobs.flatMap(({ state, ...job }) => {
      const known = stateOf(state);
      return known === undefined ? [] : [{ ...job, host: this.name, state: known }];
    });
  }

  async free(): Promise<Places> {
    return (await this.#call('capacity', {})).free;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #call<V extends SupervisorVerb>(
    verb: V,
    request: Readonly<Record<string, unknown>>,
    timeoutMs = callTimeoutMs,
  ): Promise<z.infer<(typeof answers)[V]>> {
    const text = await this.#transport.call(verb, JSON.stringify({ ...request, host: this.#host }), timeoutMs);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (cause) {
      const message = `The host ${this.name} answered '${verb}' with ${JSON.stringify(text.slice(0, 300))}: check that it has Python 3.8 or later.`;
      throw new SystemError('Unavailable', message, { cause });
    }
    const refused = refusal.safeParse(answer);
    if (refused.success) {
      const { error, message, details } = refused.data;
      const type = refusalTypes[error] ?? 'Unavailable';
      const sentence = type === 'Unavailable' ? `The host ${this.name} failed at '${verb}': ${message}` : message;
      throw new SystemError(type, sentence, {
        details: { host: this.name },
        ...(details.never && { retryable: false }),
      });
    }
    const parsed = answers[verb].safeParse(answer);
    if (!parsed.success) {
      const message = `The host ${this.name} gave an answer to '${verb}' that has another form: ${z.prettifyError(parsed.error)}`;
      throw new SystemError('Unavailable', message);
    }
    return parsed.data as z.infer<(typeof answers)[V]>;
  }
}

const name = ({ key, epoch }: JobName): JobName => ({ key, epoch });
