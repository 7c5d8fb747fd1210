// One SSH connection to one host: opened when first needed, shared by all calls, checked against pinned host keys.

import { createHash } from 'node:crypto';
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import { SystemError } from '../../dag/failures.js';

export interface SshAccess {
  readonly host: string;
  /** 22 unless set. */
  readonly port?: number;
  readonly user: string;
  /** The text of a private key, not its path. */
  readonly privateKey?: string;
  readonly passphrase?: string;
  /** The socket of an SSH agent, instead of a private key. */
  readonly agent?: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints them; no other host key is accepted. */
  readonly hostKeys: readonly string[];
}

const connectTimeoutMs = 10_000;
const keepaliveMs = 10_000;
const idleMs = 60_000;
// sshd allows ten sessions on a connection unless told otherwise.
const sessionsAtOnce = 8;
const maxAnswerBytes = 16 * 2 ** 20;

const fingerprintOf = (hostKey: Buffer): string =>
  `SHA256:${createHash('sha256').update(hostKey).digest('base64').replace(/=+$/, '')}`;

export class SshConnection {
  readonly #name: string;
  readonly #access: SshAccess;
  #client: Promise<Client> | undefined;
  #sessions = 0;
  readonly #waiting: (() => void)[] = [];
  #idle: NodeJS.Timeout | undefined;

  /** `name` stands in every message. Throws `InvalidInput` where no host key is pinned. */
  constructor(name: string, access: SshAccess) {
    const wellFormed = access.hostKeys.every((key) => /^SHA256:[A-Za-z0-9+/]{43}=?$/.test(key));
    if (access.hostKeys.length === 0 || !wellFormed)
      throw new SystemError(
        'InvalidInput',
        `The host ${name} has no well-formed pinned host key: give its SHA256 fingerprints, as 'ssh-keygen -lf' prints them.`,
      );
    this.#name = name;
    this.#access = access;
  }

  /** Runs a fixed command line with `input` on its standard input; answers its standard output. */
  async run(command: string, input: string, timeoutMs: number): Promise<{ stdout: string; stderr: string }> {
    return await this.#session(timeoutMs, async (client) => {
      const channel = await new Promise<ClientChannel>((resolve, reject) => {
        client.exec(command, (error, opened) => (error ? reject(error) : resolve(opened)));
      });
      return await new Promise((resolve, reject) => {
        const out: Buffer[] = [];
        const noise: Buffer[] = [];
        let sizeBytes = 0;
        channel.on('data', (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes <= maxAnswerBytes) out.push(chunk);
          else {
            reject(new Error(`its answer is longer than ${maxAnswerBytes} bytes`));
            channel.close();
          }
        });
        channel.stderr.on('data', (chunk: Buffer) => noise.push(chunk));
        channel.once('error', reject);
        channel.once('close', () =>
          resolve({ stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(noise).toString() }),
        );
        channel.end(input);
      });
    });
  }

  async withSftp<T>(timeoutMs: number, use: (sftp: SFTPWrapper) => Promise<T>): Promise<T> {
    return await this.#session(timeoutMs, async (client) => {
      const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
        client.sftp((error, opened) => (error ? reject(error) : resolve(opened)));
      });
      try {
        return await use(sftp);
      } finally {
        sftp.end();
      }
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const client = this.#client;
    this.#client = undefined;
    await client?.then((open) => open.end()).catch(() => {});
  }

  /** Whatever goes wrong in it but a SystemError is `Unavailable`; a call that takes too long drops the connection. */
  async #session<T>(timeoutMs: number, work: (client: Client) => Promise<T>): Promise<T> {
    if (this.#sessions >= sessionsAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#sessions++;
    clearTimeout(this.#idle);
    let timer: NodeJS.Timeout | undefined;
    let dropped: (() => void) | undefined;
    let client: Client | undefined;
    try {
      const opened = await this.#open();
      client = opened;
      const broken = new Promise<never>((_, reject) => {
        dropped = () => reject(new Error('the connection was lost'));
        opened.once('close', dropped);
        timer = setTimeout(() => {
          opened.destroy();
          reject(new Error(`it did not answer within ${timeoutMs} ms`));
        }, timeoutMs);
      });
      return await Promise.race([work(opened), broken]);
    } catch (error) {
      if (error instanceof SystemError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new SystemError('Unavailable', `The host ${this.#place} does not answer over SSH: ${reason}.`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      if (dropped !== undefined) client?.off('close', dropped);
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#sessions--;
      if (this.#sessions === 0) this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    }
  }

  #open(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    const connecting = this.#connect();
    this.#client = connecting;
    const forget = (): void => {
      if (this.#client === connecting) this.#client = undefined;
    };
    connecting.then((client) => client.once('close', forget), forget);
    return connecting;
  }

  async #connect(): Promise<Client> {
    const { host, port = 22, user, privateKey, passphrase, agent, hostKeys } = this.#access;
    const pinned = hostKeys.map((key) => key.replace(/=+$/, ''));
    let shown: string | undefined;
    // Loaded with the first connection: most workers have no host.
    const ssh2 = await import('ssh2');
    const client = new ssh2.Client();
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve);
        client.once('error', reject);
        client.once('close', () => reject(new Error('the connection was closed')));
        client.connect({
          host,
          port,
          username: user,
          ...(privateKey !== undefined && { privateKey }),
          ...(passphrase !== undefined && { passphrase }),
          ...(agent !== undefined && { agent }),
          hostVerifier: (key: Buffer) => {
            shown = fingerprintOf(key);
            return pinned.includes(shown);
          },
          readyTimeout: connectTimeoutMs,
          keepaliveInterval: keepaliveMs,
          keepaliveCountMax: 3,
        });
      });
    } catch (error) {
      client.destroy();
      throw this.#refusal(error, shown !== undefined && !pinned.includes(shown) ? shown : undefined);
    }
    // Later trouble closes the connection, which every call watches; without a listener it would end the process.
    client.on('error', () => {});
    return client;
  }

  #refusal(error: unknown, unknownKey: string | undefined): unknown {
    const cause = { cause: error };
    if (unknownKey !== undefined)
      return new SystemError(
        'PermissionDenied',
        `The host ${this.#place} shows the key ${unknownKey}, which is not pinned: if it was set up anew, pin this key; if not, somebody stands in between.`,
        cause,
      );
    const { level, message } = error as { level?: string; message?: string };
    if (level === 'client-authentication')
      return new SystemError(
        'PermissionDenied',
        `The host ${this.#place} refuses the login of ${this.#access.user}: put its public key into authorized_keys there.`,
        cause,
      );
    if (/privateKey|passphrase/i.test(message ?? ''))
      return new SystemError(
        'InvalidInput',
        `The private key for the host ${this.#place} cannot be read: ${message ?? ''}.`,
        cause,
      );
    return error;
  }

  get #place(): string {
    return `${this.#name} (${this.#access.host}:${this.#access.port ?? 22})`;
  }
}
