// What the tests of the training and evaluation stages share: real S3, real processes on this machine, a small data set.

import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { ensurePython } from '../../deploy/embedded/python.js';
import type { TaskContext } from '../../dag/context.js';
import type { Json } from '../../dag/graph.js';
import { computeSystems } from '../../systems/compute/computes.js';
import { LocalCompute } from '../../systems/compute/local.js';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import { datasetPrefix, s3Uri } from '../../systems/object-store/keys.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { ObjectStoreRegistry } from '../../systems/registry/object-store.js';
import type { Systems } from '../../systems/systems.js';

export interface Row {
  readonly prompt: string;
  readonly completion: string;
  readonly slices: Readonly<Record<string, string>>;
}

const words = { cat: ['mew', 'purr', 'paw'], dog: ['bark', 'wag', 'bone'], cow: ['moo', 'milk', 'grass'] };
const animals = Object.keys(words) as (keyof typeof words)[];

/** Knuth's multiplicative hash, so that no word follows from its place. */
const scatter = (...numbers: number[]): number =>
  numbers.reduce((hash, number) => Math.imul(hash ^ (number + 1), 2_654_435_761) >>> 5, 7);

/** The same rows for the same numbers: which animal is meant follows from the words. */
export const makeRows = (count: number, seed: number): readonly Row[] =>
  Array.from({ length: count }, (_, index) => {
    const animal = animals[(index + seed) % animals.length] ?? 'cat';
    const said = Array.from({ length: 3 + (index % 4) }, (_, at) => words[animal][scatter(index, at, seed) % 3]);
    return { prompt: `${said.join(' ')} :`, completion: ` ${animal}`, slices: { animal } };
  });

export const jsonLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export async function openStage() {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-stage-'));
  const { endpoint, region, ...credentials } = inject('s3');
  const objects = new S3ObjectStore({ bucket: `stage-${randomUUID()}`, endpoint, region, credentials });
  await objects.createBucketIfMissing();
  const { python } = await ensurePython();
  const jobsRoot = join(folder, 'jobs');
  const environment = () => objects.programEnvironment();
  const local = new LocalCompute({ name: 'local', root: jobsRoot, python, environment });
  const systems = {
    environment: 'dev',
    objects,
    compute: computeSystems([local]),
    registry: new ObjectStoreRegistry(objects, { environment: 'dev' }),
    endpoints: new ObjectStoreEndpoints(objects, 'dev'),
  } as unknown as Systems;

  return {
    folder,
    python,
    objects,
    systems,
    local,
    /** A step's context; `said` takes what the program's progress lines said, newest last. */
    context: (key: string, attempt = 1, said: Json[] = []): TaskContext => ({
      systems,
      log: silent,
      progress(details) {
        const progress = (details as { progress?: Json } | undefined)?.progress;
        if (progress !== undefined) said.push(progress);
      },
      lastProgress: undefined,
      signal: new AbortController().signal,
      run: {
        dag: 'test',
        environment: 'dev',
        workflowId: 'w',
        runId: 'r',
        logicalDate: '2026-01-02T03:00:00.000Z',
        trigger: 'manual',
      },
      step: { id: key, attempt, key: `run-1.${key}.0` },
    }),
    /** Puts a data set, as feature-engineering would. */
    async dataset(model: string, splits: Readonly<Record<'train' | 'validation' | 'test', string>>) {
      const id = randomUUID().replaceAll('-', '').repeat(2);
      const prefix = datasetPrefix(model, id);
      for (const [split, content] of Object.entries(splits)) await objects.put(`${prefix}${split}.jsonl`, content);
      return { id, uri: s3Uri(objects.bucketName, prefix), rows: { train: 1, validation: 1, test: 1 } };
    },
    async text(uri: string, file: string): Promise<string> {
      const { body } = await objects.get(new URL(`${uri}${file}`).pathname.slice(1));
      return Buffer.concat((await body.toArray()) as Uint8Array[]).toString('utf8');
    },
    /** What every file of every job on the host holds. */
    async everythingOnHost(): Promise<string> {
      const entries = await readdir(jobsRoot, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')))).join('\n');
    },
    async close() {
      for await (const { key, epoch, host } of local.list()) await local.remove({ compute: 'local', key, epoch, host });
      await rm(folder, { recursive: true, force: true });
    },
  };
}
export type Stage = Awaited<ReturnType<typeof openStage>>;
