// Vitest's global set-up: one real Temporal and one real S3 server on free loopback ports for every project that asks, MinIO as
// well for the contract tests, and Python where jobs run. Projects share one set; the last one to end takes it down and checks
// that it is gone.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { isAlive } from '../deploy/embedded/child-process.js';
import { ensurePython } from '../deploy/embedded/python.js';
import { startS3Server, type S3Access } from '../deploy/embedded/s3-server.js';
import { startTemporalServer } from '../deploy/embedded/temporal-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    temporal: { readonly address: string };
    s3: S3Access;
    /** Only in the project `contract`. */
    minio: S3Access;
  }
}

interface Running<T> {
  readonly value: T;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

interface Shared {
  readonly folder: Promise<string>;
  readonly started: Map<string, Promise<Running<unknown>>>;
  python: Promise<unknown> | undefined;
  users: number;
}

// Vitest loads this file once for each project, in one process: what they share has to hang on the process.
const slot = Symbol.for('pawl.test.servers');
const holder = globalThis as unknown as Record<symbol, Shared | undefined>;

const shared = (): Shared =>
  (holder[slot] ??= { folder: mkdtemp(join(tmpdir(), 'pawl-test-')), started: new Map(), python: undefined, users: 0 });

const once = <T>(name: string, start: () => Promise<Running<T>>): Promise<Running<T>> => {
  const { started } = shared();
  const running = (started.get(name) as Promise<Running<T>> | undefined) ?? start();
  started.set(name, running);
  return running;
};

/** Whose tests start jobs. On a fresh machine their Python takes longer to install than any test may wait. */
const withJobs = ['contract', 'integration', 'chaos'];

const onProgress = (line: string): void => console.log(line);

const temporal = async (): Promise<Running<{ address: string }>> => {
  const server = await startTemporalServer({ onProgress });
  return { value: { address: server.address }, pid: server.pid, stop: () => server.stop() };
};

const s3 = async (vendor: 'versitygw' | 'minio'): Promise<Running<S3Access>> => {
  const folder = join(await shared().folder, vendor);
  const { pid, stop, waitUntilEnded: _, ...value } = await startS3Server({ folder, vendor, onProgress });
  return { value, pid, stop };
};

const takeDown = async (): Promise<void> => {
  const { started, folder } = shared();
  holder[slot] = undefined;
  const servers = await Promise.allSettled(started.values());
  const running = servers.flatMap((server) => (server.status === 'fulfilled' ? [server.value] : []));
  await Promise.all(running.map((server) => server.stop()));
  const left = running.filter((server) => isAlive(server.pid));
  if (left.length > 0) throw new Error(`left running after the tests: ${left.map(({ pid }) => pid).join(', ')}`);
  await rm(await folder, { recursive: true, force: true });
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const use = shared();
  use.users += 1;
  const release = async (): Promise<void> => {
    use.users -= 1;
    if (use.users === 0) await takeDown();
  };
  try {
    const python = withJobs.includes(project.name) ? (use.python ??= ensurePython({ onProgress })) : undefined;
    const [temporalServer, s3Server] = await Promise.all([
      once('temporal', temporal),
      once('versitygw', () => s3('versitygw')),
      python,
    ]);
    project.provide('temporal', temporalServer.value);
    project.provide('s3', s3Server.value);
    if (project.name === 'contract') project.provide('minio', (await once('minio', () => s3('minio'))).value);
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}
