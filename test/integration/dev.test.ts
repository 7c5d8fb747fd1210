// `pawl dev` and the commands beside it, as a person uses them: a new project, real servers, the real command.

import { spawn } from 'node:child_process';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ObjectStoreEndpoints } from '../../systems/endpoint/object-store.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import type { Dev } from '../fixtures/pawl-command.js';
import { PawlProject } from '../fixtures/pawl-command.js';

const slowPipeline = `
import { dag, task, z } from 'pawl';
const wait = task({
  name: 'wait', version: '1', timeout: '5m', retry: { attempts: 5, firstDelay: '100ms' },
  input: z.object({ seconds: z.number() }), output: z.object({ waited: z.number() }),
  run: async ({ seconds }, { signal, progress }) => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      signal.throwIfAborted();
      progress();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return { waited: seconds };
  },
});
export const slow = dag({ name: 'slow', params: z.object({ seconds: z.number().default(0) }) }, ({ params, step }) => ({
  waited: step(wait, { seconds: params.seconds }).waited,
}));
`;

interface Listed {
  readonly runs: readonly { workflowId: string; status: string; outcome: string | null }[];
}

let project: PawlProject;
let dev: Dev;

const running = async (): Promise<{ environment: Record<string, string>; pid: number }> =>
  (JSON.parse(await readFile(join(project.root, '.pawl/dev.json'), 'utf8')) as { running: never }).running;

const runs = async (): Promise<Listed['runs']> => (await project.json<Listed>('runs')).runs;

/** Until it holds; the test's own timeout ends it. */
async function eventually(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 200));
}

beforeAll(async () => {
  project = await PawlProject.initialized({ 'pipelines/slow.ts': slowPipeline });
  dev = await project.dev();
}, 180_000);

afterAll(async () => {
  if (dev.child.exitCode === null) await dev.interrupt();
  await project.remove();
}, 60_000);

describe('in a new project', () => {
  test('what the project defines is found, and its pipeline runs by name', async () => {
    expect(dev.document.project.dags).toEqual(['sample-data', 'slow']);
    const result = await project.json('run', 'sample-data', '--param', 'rows=12', '--wait');
    expect(result).toMatchObject({ outcome: 'succeeded', output: { rows: 12 } });
  });

  test('what is wrong is said in one sentence, and nothing starts', async () => {
    const before = (await runs()).length;
    const model = ['model-lifecycle', '--param', 'model=intent-router'];
    const wrong: [string[], RegExp][] = [
      [['sample-data', '--param', 'rows=0'], /rows/],
      [['sample-dat'], /Nothing is named "sample-dat": did you mean sample-data\?/],
      [['model-lifecycle', '--param', 'model=nobody'], /no model named 'nobody'.*intent-router/],
      [[...model, '--stop-after', 'nothing'], /no step "nothing"/],
      [[...model, '--param', 'overrides.gate=[]'], /gate/],
    ];
    for (const [args, sentence] of wrong) {
      const { code, stderr, stdout } = await project.pawl(['run', ...args]);
      expect(stderr).toMatch(sentence);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stdout).toBe('');
      expect(code).toBe(2);
    }
    expect(await runs()).toHaveLength(before);
  });

  test('a shell that takes what pawl env prints leads the SDK to the same servers, whatever it was set to before', async () => {
    const program = `
      import { connectPawl } from '${fileURLToPath(new URL('../../exports/client.ts', import.meta.url))}';
      const { pawl, close } = await connectPawl();
      const run = await pawl.start('sample-data', { rows: 7 });
      console.log(JSON.stringify((await pawl.result(run)).output));
      await close();
    `;
    await writeFile(join(project.root, 'start.mts'), program);
    const shell = async (script: string, environment: NodeJS.ProcessEnv): Promise<unknown> => {
      const child = spawn('sh', ['-ec', script], {
        cwd: project.root,
        env: { ...project.environment, ...environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return JSON.parse(await text(child.stdout));
    };
    const { stdout } = await project.pawl(['env']);
    const elsewhere = { AWS_PROFILE: 'other', AWS_ENDPOINT_URL: 'http://127.0.0.1:1', TEMPORAL_PROFILE: 'other' };
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    expect(await shell(`${stdout}\nnode --import ${loader} start.mts`, elsewhere)).toMatchObject({ rows: 7 });
    await rm(join(project.root, 'start.mts'));
    expect((await project.json<{ environment: object }>('env')).environment).toEqual((await running()).environment);
  });

  test('a dry run is told as what would happen', async () => {
    const { stdout, code } = await project.pawl(['run', 'slow', '--param', 'seconds=5', '--dry-run']);
    expect(stdout).toBe('Nothing was run. slow would take 1 step, with seconds 5:\n  1  wait    at once\n');
    expect(code).toBe(0);
    expect(await project.json('run', 'slow', '--dry-run')).toMatchObject({
      outcome: 'stopped',
      output: { steps: [{}] },
    });
  });

  test('a run of one id is joined by the second', async () => {
    const [first, second] = [
      await project.json('run', 'slow', '--id', 'once'),
      await project.json('run', 'slow', '--id', 'once'),
    ];
    expect(second['runId']).toBe(first['runId']);
  });

  test('a run is watched line by line where there is no terminal, and told as one document', async () => {
    const { workflowId } = await project.json<{ workflowId: string }>('run', 'slow', '--param', 'seconds=1');
    const { stdout, code } = await project.pawl(['watch', workflowId]);
    expect(stdout).toMatch(/wait success/);
    expect(stdout.split('\n').slice(-3)).toEqual(['succeeded', '  waited  1', '']);
    expect(stdout).not.toContain('\x1b');
    expect(code).toBe(0);
    const seen = await project.json('watch', workflowId);
    expect(seen).toMatchObject({ outcome: 'succeeded', steps: [{ id: 'wait', status: 'success' }] });
  });

  test('a cancelled run ends, and says so', async () => {
    const { workflowId } = await project.json<{ workflowId: string }>('run', 'slow', '--param', 'seconds=200');
    await project.pawl(['cancel', workflowId, '--wait']);
    const { stderr, code } = await project.pawl(['run', 'slow', '--id', workflowId.split('/').at(-1) ?? '', '--wait']);
    expect(stderr).toMatch(/cancelled/);
    expect(code).toBe(1);
  });

  test('a second pawl dev in the folder is refused, and names the first', async () => {
    const { code, stderr } = await project.pawl(['dev']);
    expect(stderr).toContain(`process ${dev.child.pid}`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
  });

  test('keys are readable by their owner alone', async () => {
    expect((await stat(join(project.root, '.pawl/dev.json'))).mode & 0o777).toBe(0o600);
  });

  test('the doctor finds everything in order', async () => {
    const { findings } = await project.json<{ findings: { system: string; state: string }[] }>('doctor');
    expect(findings.filter(({ state }) => state !== 'good')).toEqual([]);
    expect(new Set(findings.map(({ system }) => system))).toEqual(
      new Set(['project', 'Temporal', 'S3', 'compute local', 'gateway', 'Python']),
    );
  });

  test('the doctor names what is away, and every other system still', async () => {
    const { environment } = await running();
    const answer = await project.pawl(['doctor', '--json'], { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const { findings } = JSON.parse(answer.stdout) as { findings: { system: string; state: string }[] };
    expect(findings.filter(({ state }) => state === 'away').map(({ system }) => system)).toEqual(['Temporal']);
    expect(answer.code).toBe(3);
  });

  test('setup finds nothing left to do', async () => {
    expect(await project.json('setup')).toMatchObject({ registered: [], bucket: 'pawl' });
  });

  test('a changed file reloads the worker, and one that does not load leaves the old worker', async () => {
    const file = join(project.root, 'pipelines/slow.ts');
    const before = dev.document.workerPid;
    await writeFile(file, slowPipeline.replaceAll("name: 'slow'", "name: 'slower'"));
    await dev.note('slower');
    const { outcome } = await project.json<{ outcome: string }>('run', 'slower', '--wait');
    expect(outcome).toBe('succeeded');
    await eventually(async () => !(await project.processes()).some((line) => line.startsWith(`${before} `)));

    await writeFile(file, 'export const slow = dag(');
    expect(await dev.note('not reloaded')).toContain('pipelines/slow.ts');
    expect(dev.notes.filter((note) => note.includes('cannot be loaded'))).toHaveLength(1);
    await writeFile(join(project.root, 'pipelines/slow.ts'), slowPipeline);
    await dev.until('it is reloaded', () => dev.notes.filter((note) => note.includes(' slow')).length > 1);
  });

  test('all traffic goes to the champion by hand while Temporal is down', async () => {
    const { environment } = await running();
    const objects = new S3ObjectStore({
      bucket: 'pawl',
      endpoint: environment['AWS_ENDPOINT_URL_S3'] ?? '',
      region: 'us-east-1',
      credentials: {
        accessKeyId: environment['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'] ?? '',
      },
    });
    const endpoints = new ObjectStoreEndpoints(objects, 'dev');
    const at = new Date().toISOString();
    const state = {
      schema: 1,
      environment: 'dev',
      model: 'greeter',
      generation: 1,
      operationId: 'first',
      champion: 1,
      previous: null,
      challenger: 2,
      weights: { champion: 80, challenger: 20 },
      leaseMs: 90_000,
      trial: 'trial',
      revoked: [],
      change: { kind: 'weight', by: 'test', reason: 'on trial', at },
    } as const;
    await endpoints.write('greeter', state, null);
    const withoutTemporal = { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const { code, stdout } = await project.pawl(
      ['traffic', 'greeter', '--champion-only', '--reason', 'users complain'],
      withoutTemporal,
    );
    expect(stdout).toMatch(/greeter sends all to version 1 \(generation 2\)/);
    expect(code).toBe(0);
    const { state: after } = (await endpoints.read('greeter')) ?? {};
    expect(after).toMatchObject({ challenger: null, weights: { champion: 100, challenger: 0 } });
    expect(after?.change).toMatchObject({ kind: 'champion-only', reason: 'users complain' });

    const again = await project.pawl(['traffic', 'greeter', '--champion-only'], withoutTemporal);
    expect(again.stdout).toMatch(/nothing changed/);
    expect(again.code).toBe(0);

    const history = await project.json<{ states: { generation: number }[] }>(
      'history',
      'greeter',
      '--on',
      at.slice(0, 10),
    );
    expect(history.states.map(({ generation }) => generation)).toEqual([1, 2]);
    expect((await project.pawl(['history', 'greeter', '--on', '2001-01-01'])).stdout).toMatch(/was not served/);

    // The aliases were never written.
    const found = await project.pawl(['endpoints', 'greeter']);
    expect(found.stdout).toMatch(/champion of greeter is none.*pawl reconcile greeter/);
    expect(found.code).toBe(1);
    objects.close();
  });

  test('an operator’s word about nothing is refused with what to look at', async () => {
    const { stderr, code } = await project.pawl(['promote', 'greeter', '--version', '2', '--reason', 'good']);
    expect(stderr).toMatch(/Nothing is being rolled out for greeter in dev/);
    expect(code).toBe(2);
  });

  test('a model’s schedule is applied once, and listed', async () => {
    const file = join(project.root, 'models/intent-router.ts');
    const source = await readFile(file, 'utf8');
    await writeFile(
      file,
      source.replace("owner: 'you',", "owner: 'you',\n  schedule: { cron: '0 2 * * *', timezone: 'Europe/Berlin' },"),
    );
    const kinds = async (): Promise<string[]> =>
      (await project.json<{ changes: { kind: string }[] }>('schedules', 'apply')).changes.map(({ kind }) => kind);
    expect(await kinds()).toEqual(['create']);
    await eventually(async () => (await kinds())[0] === 'unchanged');
    const { schedules } = await project.json<{ schedules: { name: string; cron: string }[] }>('schedules', 'list');
    expect(schedules).toMatchObject([{ name: 'intent-router', cron: '0 2 * * *' }]);
    await writeFile(file, source);
    expect(await kinds()).toEqual(['delete']);
  });
});

describe('the model of a new project', () => {
  test('ctrl-C ends its training and everything else, and the next start takes the run up and promotes it', async () => {
    await project.pawl(['run', 'sample-data', '--wait']);
    const plan = await project.json('plan', 'intent-router');
    expect(plan).toMatchObject({ model: 'intent-router', production: null });
    // An epoch every second, so that there is a middle to be interrupted in.
    const { workflowId } = await project.json<{ workflowId: string }>(
      'run',
      'model-lifecycle',
      '{"model":"intent-router","overrides":{"train":{"settings":{"pauseMs":1000}}}}',
    );
    await eventually(async () => (await project.processes()).some((line) => line.includes('train.mjs')));
    const addresses = (await running()).environment;

    expect(await dev.interrupt()).toBe(0);
    expect(await project.processes()).toEqual([]);

    dev = await project.dev();
    expect((await running()).environment).toEqual(addresses);
    await eventually(async () => {
      const { outcome } = await project.json<{ outcome: string }>('watch', workflowId);
      return outcome !== 'running';
    });
    expect(await project.json('watch', workflowId)).toMatchObject({ outcome: 'promoted' });
    const response = await fetch(`${dev.document.gateway}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'intent-router', prompt: 'where is my bike' }),
    });
    expect(await response.json()).toMatchObject({ choices: [{ text: 'delivery' }] });
    const { code } = await project.pawl(['endpoints', 'intent-router']);
    expect(code).toBe(0);
  });

  test('kill -9 leaves no server, and the champion is served again after the next start', async () => {
    await dev.interrupt('SIGKILL');
    const isServer = (line: string): boolean => /temporal|versitygw|gateway|workers\/main/.test(line);
    await eventually(async () => !(await project.processes()).some(isServer));

    dev = await project.dev();
    await eventually(async () => {
      const response = await fetch(`${dev.document.gateway}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'intent-router', prompt: 'i want my money back' }),
      });
      return response.ok;
    });
    expect(await dev.interrupt('SIGTERM')).toBe(0);
    expect(await project.processes()).toEqual([]);
  });

  test('without pawl dev, a command says that it is to be started', async () => {
    const { stderr, code } = await project.pawl(['runs']);
    expect(stderr).toMatch(/pawl dev does not run in .* at the moment/);
    expect(code).toBe(3);
    const env = await project.pawl(['env']);
    expect(env).toMatchObject({ code: 3, stdout: '' });
    expect(env.stderr).toMatch(
      /^pawl: No pawl dev runs in \S+: start it there, or name the folder where one runs with -C\.\n$/,
    );
  });
});
