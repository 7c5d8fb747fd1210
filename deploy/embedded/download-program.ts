// Fetches a server program from its vendor's own release page, if it can be reached and the checksum holds.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import type { Describe } from './progress.js';
import type { Platform, ServerProgram } from './servers.js';

const run = promisify(execFile);

// Offline has to be noticed soon: the build that comes next works from a proxy of Go modules as well.
const answerTimeoutMs = 5_000;
const downloadTimeoutMs = 10 * 60_000;

/** The platform in the words of Go's releases, or undefined where there are none that Pawl can use. */
const platform = (): Platform | undefined => {
  const os = process.platform;
  if (os !== 'linux' && os !== 'darwin') return undefined;
  if (process.arch === 'x64') return { os, arch: 'amd64' };
  return process.arch === 'arm64' ? { os, arch: 'arm64' } : undefined;
};

/** Puts the program into the folder; throws an Error whose message says why it could not. */
export const downloadProgram = async (program: ServerProgram, folder: string, describe: Describe): Promise<void> => {
  const here = platform();
  const url = here === undefined ? undefined : program.download?.url(here);
  if (program.download === undefined || here === undefined || url === undefined) {
    throw new Error('the vendor offers no download for this platform');
  }
  // Standard proxy settings (HTTPS_PROXY, NO_PROXY) are followed.
  const dispatcher = new EnvHttpProxyAgent({ connectTimeout: answerTimeoutMs });
  const archive = join(folder, 'archive.tar.gz');
  try {
    const expected = await fetchChecksum(program.download.checksumsUrl, url, dispatcher);
    const digest = await fetchArchive(url, archive, dispatcher, describe);
    if (digest !== expected)
      throw new Error(`the download's SHA-256 is ${digest}, not the ${expected} that its vendor states`);
    const member = program.download.member(here);
    const depth = member.split('/').length - 1;
    await run('tar', ['-xzf', archive, '-C', folder, `--strip-components=${depth}`, member]);
    await chmod(join(folder, program.name), 0o755);
  } finally {
    await rm(archive, { force: true });
    await dispatcher.destroy();
  }
};

const open = async (url: string, dispatcher: EnvHttpProxyAgent): Promise<Response> => {
  const answering = new AbortController();
  const late = setTimeout(() => answering.abort(), answerTimeoutMs);
  try {
    const signal = AbortSignal.any([answering.signal, AbortSignal.timeout(downloadTimeoutMs)]);
    const response = await fetch(url, { dispatcher, signal });
    if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
    return response;
  } catch (error) {
    if (error instanceof TypeError || answering.signal.aborted)
      throw new Error(`${new URL(url).host} cannot be reached`);
    throw error;
  } finally {
    clearTimeout(late);
  }
};

const fetchChecksum = async (checksumsUrl: string, url: string, dispatcher: EnvHttpProxyAgent): Promise<string> => {
  const response = await open(checksumsUrl, dispatcher);
  const wanted = basename(new URL(url).pathname);
  for (const line of (await response.text()).split('\n')) {
    const [digest, name] = line.trim().split(/\s+\*?/);
    if (name === wanted && digest !== undefined && /^[0-9a-f]{64}$/.test(digest)) return digest;
  }
  throw new Error(`the vendor states no checksum for ${wanted}`);
};

const fetchArchive = async (
  url: string,
  file: string,
  dispatcher: EnvHttpProxyAgent,
  describe: Describe,
): Promise<string> => {
  const response = await open(url, dispatcher);
  if (response.body === null) throw new Error(`${new URL(url).host} answered without a body`);
  const total = Number(response.headers.get('content-length') ?? 0);
  const hash = createHash('sha256');
  let received = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      received += chunk.length;
      describe(`${megabytes(received)}${total > 0 ? ` of ${megabytes(total)}` : ''} MB`);
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), measure, createWriteStream(file));
  return hash.digest('hex');
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
