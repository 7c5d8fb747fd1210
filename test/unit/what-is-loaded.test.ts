// What a start loads: a package that only some runs need costs every start of every process, and comes back unseen.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** What runs the sources; but tsx's API would be asked by Pawl itself. */
const runner = /\/node_modules\/(esbuild|tsx(?!\/dist\/esm\/api))\//;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Writes down every module that is imported, and at the end every one that was required. */
const hook = (file: string): string => {
  const load = `import { appendFileSync } from 'node:fs';
export const load = (url, context, next) => (appendFileSync(${JSON.stringify(file)}, url + '\\n'), next(url, context));`;
  const script = `import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(load)}`)});
process.on('exit', () => appendFileSync(${JSON.stringify(file)}, Object.keys(createRequire('/any.js').cache).join('\\n')));`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
};

/** A worker as `workers/run-worker.ts` composes it, up to where Temporal is needed. */
const composeWorker = `
import './workers/worker-process.js';
import { createRolloutActivities } from './activities/rollout/rollout-activities.js';
import { lazyClient } from './client/connect.js';
import { externalStorage } from './workers/external-storage.js';
import { loadProject } from './workers/project.js';
import { composeSystems } from './workers/systems.js';
const project = await loadProject(process.env.FOLDER);
const systems = composeSystems(project.settings, project.root);
const { client } = lazyClient({ address: 'localhost:1', namespace: 'default', connection: {} }, externalStorage(systems.objects));
createRolloutActivities({ systems, client });
process.exit(0);
`;

describe('what is loaded', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-loaded-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** The packages that a program has loaded when it ends. */
  async function packagesOf(args: readonly string[]): Promise<Set<string>> {
    const file = join(folder, 'loaded');
    const env = { ...process.env, FOLDER: folder };
    const child = spawn(process.execPath, ['--import', 'tsx', '--import', hook(file), ...args], { cwd: root, env });
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    child.stdout.resume();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code, told).toBe(0);
    const packages = new Set<string>();
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(line) ?? [];
      if (name !== undefined && !runner.test(line)) packages.add(name);
    }
    return packages;
  }

  it('a worker’s start brings what every run needs, and nothing that only some do', async () => {
    const packages = await packagesOf(['--input-type=module', '--eval', composeWorker]);
    expect([...packages]).toEqual(expect.arrayContaining(['@temporalio/worker', '@temporalio/client', 'zod', 'pino']));
    const late = [
      '@aws-sdk/client-s3',
      '@duckdb/node-api',
      '@temporalio/external-storage-s3',
      'csv-parse',
      'gpt-tokenizer',
      'ssh2',
      'stream-json',
      'tsx',
      'undici',
    ];
    expect(late.filter((name) => packages.has(name))).toEqual([]);
  });

  it('help needs the command line alone', async () => {
    const packages = await packagesOf(['cli/main.ts', '--help']);
    expect([...packages]).toEqual(['commander']);
  });
});
