// Jobs on a named group of hosts over SSH. The supervisor is placed on a host once, under its digest; every call is one fixed
// command line, and everything that anybody chose goes through its standard input.

import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import type { SFTPWrapper } from 'ssh2';
import { SystemError } from '../../dag/failures.js';
import { SshConnection } from './ssh-connection.js';
import type { SshAccess } from './ssh-connection.js';
import { SupervisedCompute } from './supervised-compute.js';
import type { JobSurroundings } from './supervised-compute.js';
import { SupervisedHost } from './supervised-host.js';
import type { HostSettings, SupervisorTransport, SupervisorVerb } from './supervised-host.js';
import { supervisorSource } from './supervisor-source.js';

export interface SshHostSettings extends HostSettings {
  readonly access: SshAccess;
  /** What runs the supervisor there: `python3` unless set. */
  readonly supervisorPython?: string;
}

export interface SshComputeSettings extends JobSurroundings {
  readonly name: string;
  readonly hosts: readonly SshHostSettings[];
}

const uploadTimeoutMs = 60_000;
// They stand in a command line, so they hold nothing that a shell could read as anything but a word.
const plainWord = /^[A-Za-z0-9._/+-]+$/;

/** The hosts of a group; throws `InvalidInput` for settings that cannot work. */
export class SshCompute extends SupervisedCompute {
  constructor(settings: SshComputeSettings) {
    const hosts = settings.hosts.map((host) => new SupervisedHost(host, new SshTransport(host)));
    super(settings.name, hosts, settings);
  }
}

class SshTransport implements SupervisorTransport {
  readonly #connection: SshConnection;
  readonly #folder: string;
  readonly #python: string;
  #placed: Promise<string> | undefined;

  constructor({ name, access, root, supervisorPython = 'python3' }: SshHostSettings) {
    for (const [what, word] of Object.entries({ root, supervisorPython })) {
      if (!plainWord.test(word) || word.startsWith('-') || word.split('/').includes('..'))
        throw new SystemError(
          'InvalidInput',
          `The host ${name} has the ${what} ${JSON.stringify(word)}: use letters, digits and ._/+- only.`,
        );
    }
    this.#connection = new SshConnection(name, access);
    this.#folder = posix.normalize(root);
    this.#python = supervisorPython;
  }

  async call(verb: SupervisorVerb, input: string, timeoutMs: number): Promise<string> {
    const { stdout, stderr } = await this.#connection.run(await this.#commandLine(verb), input, timeoutMs);
    if (stdout !== '') return stdout;
    // Most likely somebody cleared the folder: the next call places the supervisor again.
    this.#placed = undefined;
    throw new SystemError(
      'Unavailable',
      `The supervisor did not answer: ${stderr.trim().slice(-500) || 'no output at all'}.`,
    );
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #commandLine(verb: SupervisorVerb): Promise<string> {
    const placed = (this.#placed ??= this.#place());
    try {
      // Isolated, so that nothing of the user's own Python gets into the supervisor.
      return `${this.#python} -I -S ${await placed} ${verb}`;
    } catch (error) {
      if (this.#placed === placed) this.#placed = undefined;
      throw error;
    }
  }

  /** Whole or not at all, and by its content: two workers of different versions do not meet. */
  async #place(): Promise<string> {
    const { text, digest } = supervisorSource();
    const path = posix.join(this.#folder, `supervisor-${digest.slice(0, 32)}.py`);
    const sizeBytes = Buffer.byteLength(text);
    await this.#connection.withSftp(uploadTimeoutMs, async (sftp) => {
      if ((await sizeOf(sftp, path)) === sizeBytes) return;
      await makeFolders(sftp, this.#folder);
      const temporary = `${path}.${randomBytes(6).toString('hex')}`;
      await promised((done) => sftp.writeFile(temporary, text, { mode: 0o600 }, done));
      // Plain SFTP does not rename over a file: then another worker was quicker, with the same content.
      await promised((done) => sftp.rename(temporary, path, done)).catch(async (error: unknown) => {
        await promised((done) => sftp.unlink(temporary, done));
        if ((await sizeOf(sftp, path)) !== sizeBytes) throw error;
      });
    });
    return path;
  }
}

const promised = (start: (done: (error?: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });

const sizeOf = (sftp: SFTPWrapper, path: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    sftp.stat(path, (error, found) => resolve(error ? undefined : found.size));
  });

async function makeFolders(sftp: SFTPWrapper, folder: string): Promise<void> {
  const parts = folder.split('/').filter((part) => part !== '');
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = `/${parts.slice(0, depth).join('/')}`;
    if ((await sizeOf(sftp, path)) === undefined) {
      // Two workers may make it at once.
      await promised((done) => sftp.mkdir(path, { mode: 0o700 }, done)).catch(async (error: unknown) => {
        if ((await sizeOf(sftp, path)) === undefined) throw error;
      });
    }
  }
}
