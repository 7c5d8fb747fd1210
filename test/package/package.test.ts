// The packed package as a newcomer has it: installed into an empty project, compiled against, and run on real servers.
// `npm run check:package` packs it and says where it lies.

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const tarball = process.env['PAWL_TARBALL'];
let project: string;

/** The output of a program in the project; throws all of it where the program fails. */
async function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const env = { ...process.env, ...environment };
  // Vitest's own would make a project's test runner take itself for one of Vitest's.
  delete env['NODE_OPTIONS'];
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: project,
      env,
      timeout: 280_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

const lastLine = (output: string): unknown => JSON.parse(output.trim().split('\n').at(-1) ?? '');
const installed = (path: string): string => join(project, 'node_modules', 'pawl', path);

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>;
}

beforeAll(async () => {
  if (tarball === undefined) throw new Error('There is no PAWL_TARBALL: run "npm run check:package".');
  project = await mkdtemp(join(tmpdir(), 'pawl-package-'));
  await cp(join(root, 'test/package/project'), project, { recursive: true });
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        module: 'NodeNext',
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        outDir: 'out',
      },
      include: ['*.ts'],
    }),
  );
  const compilers = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name] ?? ''}`);
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...compilers]);
}, 600_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

describe('the packed package', () => {
  it('compiles a pipeline against its types, and refuses wrong wiring', async () => {
    // Temporal's own declarations do not pass without skipLibCheck; Pawl's must.
    const errors = (await run('npx', ['tsc']).catch((error: unknown) => String(error))).match(/^.*error TS.*$/gm) ?? [];
    expect(errors.filter((line) => !line.startsWith('node_modules/@temporalio/'))).toEqual([]);
    expect(await readdir(join(project, 'out'))).toContain('run.js');
  });

  it('carries an output of 5 MB and a graph of a thousand steps on real servers', async () => {
    const { endpoint, region, accessKeyId, secretAccessKey } = inject('s3');
    const output = await run('node', ['out/run.js'], {
      TEMPORAL_ADDRESS: inject('temporal').address,
      PAWL_BUCKET: 'packed',
      PAWL_LOG_LEVEL: 'warn',
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    });
    const total = (110 * 111) / 2 + 111 * 9;
    expect(lastLine(output)).toEqual({ length: 5_000_000, textLength: 5_000_000, total, steps: 1_000 });
  });

  it('sends its Python programs to hosts, and runs jobs under its supervisor', async () => {
    expect(lastLine(await run('node', ['out/jobs.js']))).toEqual({
      digest: 'a'.repeat(64),
      sent: expect.arrayContaining(['fine_tune.py', 'pawl-runner/run_job.py']) as unknown,
      state: 'exited',
      log: 'from a job',
    });
    expect(await readdir(installed('jobs'))).toContain('requirements.txt');
  });

  it('writes a project that compiles and whose own test passes', async () => {
    await run('npx', ['pawl', 'init', 'app']);
    await run('npx', ['tsc', '-p', 'app']);
    expect(await run('npm', ['test', '--prefix', 'app'])).toMatch(/pass 1$/m);
  });

  it('is as light to import as what a pipeline is written with', async () => {
    const loaded = lastLine(
      await run('node', [
        '--input-type=module',
        '--import',
        `data:text/javascript,${encodeURIComponent(listLoadedPackages)}`,
        '-e',
        "await import('pawl'); console.log(JSON.stringify(globalThis.loadedPackages()))",
      ]),
    );
    expect(loaded).toEqual(['pawl', 'zod']);
  });

  it('names no path of the machine that built it', async () => {
    for (const entry of await readdir(installed('dist'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
      expect(text.includes(root), entry.name).toBe(false);
    }
  });
});

/** Says, in the process that it is imported into, which packages were loaded. */
const listLoadedPackages = `
import { register } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
const { port1, port2 } = new MessageChannel();
register('data:text/javascript,' + encodeURIComponent(\`
let port;
export const initialize = (data) => { port = data.port; };
export const load = (url, context, next) => { port.postMessage(url); return next(url, context); };
\`), { data: { port: port2 }, transferList: [port2] });
globalThis.loadedPackages = () => {
  const urls = [];
  for (let next; (next = receiveMessageOnPort(port1)) !== undefined; ) urls.push(next.message);
  port1.close();
  return [...new Set(urls.flatMap((url) => /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1] ?? []))].sort();
};
`;

describe('the workflow bundle in the package', () => {
  interface SourceMap {
    readonly sources: readonly string[];
  }
  let code: string;
  let sources: readonly string[];
  beforeAll(async () => {
    code = await readFile(installed('dist/workflow-bundle.js'), 'utf8');
    const map = /sourceMappingURL=data:application\/json;charset=utf-8;base64,([\w+/=]+)/.exec(code)?.[1] ?? '';
    ({ sources } = JSON.parse(Buffer.from(map, 'base64').toString()) as SourceMap);
  });

  it('holds nothing but the workflows, the pure core, and what Temporal brings', () => {
    const allowed = [
      /^workflows\//,
      /^dag\/(failures|graph|planner|resolve|rollout-id|status-text|step-key|trigger-rule)\.ts$/,
      /^stats\//,
      /^systems\/endpoint\/revocations\.ts$/,
      /^node_modules\/(@temporalio\/(common|workflow)|nexus-rpc|ms|long)\//,
      /^ignored\|node_modules\/@temporalio\/workflow\//,
      /^webpack\//,
    ];
    expect(sources).toContain('workflows/dag-run.ts');
    expect(sources.filter((source) => !allowed.some((pattern) => pattern.test(source)))).toEqual([]);
  });

  it('needs nothing that it does not hold', () => {
    // What the sandbox gives by itself is written `__webpack_require__` or a global; a real require would be of Node.
    expect(code.match(/[^_\w.]require\(["'][^"']+["']\)/g)).toBeNull();
  });

  it('stays small', () => {
    expect(code.length).toBeLessThan(1_600_000);
  });
});
