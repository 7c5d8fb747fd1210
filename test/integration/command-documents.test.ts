// What the commands about runs and versions answer to a script: one document of a run, its exit code, its job's log.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { PawlProject, type Dev } from '../fixtures/pawl-command.js';

const dawdle = `
import { dag, task, z } from 'pawl';
const wait = task({
  name: 'wait',
  version: '1',
  input: z.object({ seconds: z.number() }),
  output: z.object({ logicalDate: z.string() }),
  run: async ({ seconds }, { signal, run }) => {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve(undefined)));
    });
    signal.throwIfAborted();
    return { logicalDate: run.logicalDate };
  },
});
export const dawdling = dag({ name: 'dawdle', params: z.object({ seconds: z.number().default(0) }) }, ({ params, step }) =>
  step(wait, { seconds: params.seconds }),
);
`;

interface Document {
  readonly workflowId: string;
  readonly dag: string;
  readonly outcome: string;
  readonly steps: readonly { readonly id: string; readonly status: string }[];
  readonly output: unknown;
  readonly error: { readonly type: string } | null;
}

let project: PawlProject;
let dev: Dev;

/** The document and the exit code. */
async function answer<T = Document>(...args: string[]): Promise<T & { readonly code: number | null }> {
  const { stdout, stderr, code } = await project.pawl([...args, '--json']);
  try {
    return { ...(JSON.parse(stdout) as T), code };
  } catch (cause) {
    throw new Error(`pawl ${args.join(' ')} gave no JSON: ${stdout}${stderr}`, { cause });
  }
}

beforeAll(async () => {
  project = await PawlProject.initialized({ 'pipelines/dawdle.ts': dawdle });
  dev = await project.dev();
}, 180_000);

afterAll(async () => {
  if (dev.child.exitCode === null) await dev.interrupt();
  await project.remove();
}, 60_000);

test('run and watch tell a run by the same document, as of the day that was asked for', async () => {
  const ran = await answer('run', 'dawdle', '--logical-date', '2026-11-08', '--wait');
  expect(ran).toMatchObject({
    dag: 'dawdle',
    outcome: 'succeeded',
    steps: [{ id: 'wait', status: 'success' }],
    output: { logicalDate: '2026-11-08T00:00:00.000Z' },
    error: null,
    code: 0,
  });
  expect(await answer('watch', ran.workflowId)).toEqual(ran);
});

test('a cancelled run is told with how it ended, and one that was done before is not said to be', async () => {
  const { workflowId } = await answer('run', 'dawdle', '--param', 'seconds=200');
  expect(await answer('watch', workflowId)).toMatchObject({ outcome: 'running', output: null, error: null, code: 0 });
  const cancelled = await answer('cancel', workflowId, '--wait');
  expect(cancelled).toMatchObject({ workflowId, outcome: 'cancelled', error: { type: 'Cancelled' }, code: 0 });
  expect(await answer('watch', workflowId)).toEqual({ ...cancelled, code: 1 });
  const done = await answer('run', 'dawdle', '--wait');
  expect(await answer('cancel', done.workflowId, '--wait')).toEqual({ ...done, code: 1 });
});

test('a model that nobody serves has no traffic to move', async () => {
  expect(await answer('traffic', 'nobody', '--champion-only')).toEqual({
    error: { type: 'NotFound', message: expect.stringMatching(/^nobody has no endpoint in dev/) as string },
    code: 2,
  });
});

test('versions are listed with what they are, their jobs keep their logs, and a rollback that worked is good', async () => {
  await answer('run', 'sample-data', '--wait');
  const lifecycle = (...overrides: string[]) =>
    answer('run', 'model-lifecycle', '--param', 'model=intent-router', ...overrides, '--wait');
  const first = await lifecycle();
  expect(first).toMatchObject({ outcome: 'promoted', code: 0 });

  const job = await answer<{ step: string; released: boolean; text: string }>('logs', first.workflowId, 'fine-tune');
  expect(job).toMatchObject({ step: 'fine-tune', released: true, code: 0 });
  expect(job.text).toContain('PAWL-PROGRESS');
  expect(await answer('logs', first.workflowId)).toMatchObject({ step: 'evaluate' });
  expect(await answer('logs', first.workflowId, 'gate')).toMatchObject({ error: { type: 'NotFound' }, code: 2 });

  const trial = await project.json<{ workflowId: string }>(
    ...['run', 'model-lifecycle', '--param', 'model=intent-router', '--override', 'train.settings.epochs=9'],
  );
  for (let found: readonly { id: string; status: string }[] = []; ;) {
    found = (await answer('watch', trial.workflowId)).steps;
    if (found.some(({ id, status }) => id === 'canary-deploy' && status === 'running')) break;
    if (found.some(({ status }) => status === 'failed')) throw new Error(JSON.stringify(found));
  }
  const { versions } = await answer<{ versions: { version: number; servedAs: string[]; metrics: object }[] }>(
    'versions',
    'intent-router',
  );
  expect(versions.map(({ version }) => version)).toEqual([2, 1]);
  expect(versions[1]?.servedAs).toEqual(['champion']);

  const back = await answer('rollback', 'intent-router', '--reason', 'a test');
  expect(back).toMatchObject({ dag: 'rollback', outcome: 'rolled-back', output: { champion: 1 }, code: 0 });
  expect(await answer('watch', back.workflowId)).toEqual(back);
  expect(await answer('run', 'rollback', '{"model":"intent-router","reason":"a test"}', '--wait')).toMatchObject({
    outcome: 'failed',
    code: 1,
  });
});
