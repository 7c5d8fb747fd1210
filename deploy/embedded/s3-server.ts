// Runs a real S3 server for one machine on a folder: versitygw, or MinIO as a second one to test against.

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { SystemError } from '../../dag/failures.js';
import { startGuardedProcess, type GuardedProcess, type GuardedProcessOptions } from './child-process.js';
import { findProgram } from './find-program.js';
import { choosePort } from './ports.js';
import { servers } from './servers.js';

const region = 'us-east-1';
const startTimeoutMs = 60_000;

export interface S3ServerOptions {
  /** Holds the buckets; made if missing. */
  readonly folder: string;
  /** A free one by default. */
  readonly port?: number;
  /** Random by default: whoever means to restart the server on the same folder keeps both. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly logFile?: string;
  readonly vendor?: 'versitygw' | 'minio';
  readonly onProgress?: (line: string) => void;
}

export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server extends S3Access {
  readonly pid: number;
  readonly stop: () => Promise<void>;
  /** Resolves with how it ended. */
  readonly waitUntilEnded: () => Promise<string>;
}

/** Starts the server and returns once it answers a signed request; throws Unavailable otherwise. Buckets are the caller's to make. */
export const startS3Server = async (options: S3ServerOptions): Promise<S3Server> => {
  const { folder, vendor = 'versitygw', onProgress } = options;
  const accessKeyId = options.accessKeyId ?? `pawl${randomBytes(8).toString('hex')}`;
  const secretAccessKey = options.secretAccessKey ?? randomBytes(24).toString('base64url');
  const program = await findProgram(servers[vendor], { onProgress });
  await mkdir(folder, { recursive: true });
  const port = await choosePort(options.port, 'S3');
  const launch = { command: program.path, folder, accessKeyId, secretAccessKey, address: `127.0.0.1:${port}` };
  if (vendor === 'minio') return await launchUntilReady(launch, minio(launch), options);
  try {
    return await launchUntilReady(launch, versitygw(launch), options);
  } catch (error) {
    // Some file systems (ramfs, older tmpfs) hold no extended attributes, where versitygw keeps what S3 says about an object.
    if (!(error instanceof SystemError && error.message.includes('xattrs are not supported'))) throw error;
    // versitygw takes any path that begins with the folder's own for one inside it.
    const beside = join(dirname(folder), `metadata-of-${basename(folder)}`);
    await mkdir(beside, { recursive: true });
    return await launchUntilReady(launch, versitygw(launch, ['--sidecar', beside]), options);
  }
};

type Command = Pick<GuardedProcessOptions, 'args' | 'env'>;

const launchUntilReady = async (launch: Launch, start: Command, options: S3ServerOptions): Promise<S3Server> => {
  const { command, address, accessKeyId, secretAccessKey } = launch;
  const { vendor = 'versitygw', logFile } = options;
  const child = await startGuardedProcess({ command, ...start, ...(logFile === undefined ? {} : { logFile }) });
  const access = { endpoint: `http://${address}`, region, accessKeyId, secretAccessKey };
  try {
    await waitUntilReady(child, access, vendor);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { ...access, pid: child.pid, stop: () => child.stop(), waitUntilEnded: () => child.waitUntilEnded() };
};

interface Launch {
  readonly command: string;
  readonly folder: string;
  readonly address: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

// The keys travel by environment: arguments can be read by every user of the machine.
const versitygw = (
  { folder, address, accessKeyId, secretAccessKey }: Launch,
  posix: readonly string[] = [],
): Command => ({
  args: ['--port', address, '--region', region, '--keep-alive', '--quiet', 'posix', ...posix, folder],
  env: { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
});

const minio = ({ folder, address, accessKeyId, secretAccessKey }: Launch): Command => ({
  args: ['server', '--quiet', '--address', address, '--console-address', '127.0.0.1:0', folder],
  env: {
    ...process.env,
    MINIO_ROOT_USER: accessKeyId,
    MINIO_ROOT_PASSWORD: secretAccessKey,
    MINIO_REGION: region,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  },
});

const waitUntilReady = async (child: GuardedProcess, access: S3Access, vendor: string): Promise<void> => {
  const { endpoint, accessKeyId, secretAccessKey } = access;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });
  const deadline = Date.now() + startTimeoutMs;
  let last: unknown;
  try {
    while (Date.now() < deadline) {
      const ended = child.ended();
      if (ended !== undefined) {
        const output = (await child.tail()).trim().slice(-400);
        throw new SystemError('Unavailable', `${vendor} ended before it answered (${ended}): ${output || 'no output'}`);
      }
      try {
        await client.send(new ListBucketsCommand({}), { requestTimeout: 2_000 });
        return;
      } catch (error) {
        last = error;
      }
      await sleep(50);
    }
  } finally {
    client.destroy();
  }
  throw new SystemError('Unavailable', `${vendor} at ${endpoint} did not answer within ${startTimeoutMs / 1000} s`, {
    cause: last,
  });
};
