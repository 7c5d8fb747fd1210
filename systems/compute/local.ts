// Jobs on this machine: calls the supervisor as a child process, without a shell. The jobs outlive the worker.

import { spawn } from 'node:child_process';
import { totalmem } from 'node:os';
import { text } from 'node:stream/consumers';
import { SystemError } from '../../dag/failures.js';
import type { Places } from './port.js';
import { SupervisedCompute } from './supervised-compute.js';
import type { JobSurroundings } from './supervised-compute.js';
import { SupervisedHost } from './supervised-host.js';
import type { SupervisorTransport, SupervisorVerb } from './supervised-host.js';
import { supervisorPath } from './supervisor-source.js';

export interface LocalComputeSettings extends JobSurroundings {
  readonly name: string;
  /** An absolute folder for the jobs. */
  readonly root: string;
  /** All of the machine's memory and no GPU unless set. */
  readonly places?: Places;
  /** What `{python}` stands for, and what runs the supervisor: `python3` unless set. */
  readonly python?: string;
  /** Only tests set another. */
  readonly bootIdFile?: string;
}

/** The worker's own variables may hold its secrets: jobs inherit only what a program needs to run on this machine. */
const inherited =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY|(LC|CUDA|NVIDIA|OMP|HF|XDG)_.*)$/i;

const inheritedEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => inherited.test(name)));

class ProcessTransport implements SupervisorTransport {
  readonly #python: string;

  constructor(python: string) {
    this.#python = python;
  }

  async call(verb: SupervisorVerb, input: string, timeoutMs: number): Promise<string> {
    // Isolated, as on every host; and no bytecode beside an installed package's files.
    const child = spawn(this.#python, ['-I', '-S', '-B', supervisorPath, verb], {
      cwd: '/',
      env: inheritedEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    try {
      const ended = new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      // A supervisor that ends before it has read everything breaks the pipe; its answer says why.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      const [answer, noise, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      if (answer !== '') return answer;
      const reason =
        code === null ? `did not answer within ${timeoutMs} ms` : `ended with ${code}: ${noise.trim().slice(-500)}`;
      throw new SystemError('Unavailable', `The supervisor of this machine, run by ${this.#python}, ${reason}.`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new SystemError(
          'InvalidInput',
          `There is no Python at ${this.#python}: install Python 3.8 or later, or name another.`,
          {
            cause: error,
          },
        );
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** One host, this machine, under the name `local`. */
export class LocalCompute extends SupervisedCompute {
  constructor(settings: LocalComputeSettings) {
    const { name, root, python = 'python3', bootIdFile } = settings;
    const places = settings.places ?? { gpus: 0, memoryBytes: totalmem() };
    const host = { name: 'local', root, places, ...(bootIdFile !== undefined && { bootIdFile }) };
    super(name, [new SupervisedHost(host, new ProcessTransport(python))], settings);
  }
}
