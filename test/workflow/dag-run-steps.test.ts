import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dag } from '../../dag/dag.js';
import { SystemError } from '../../dag/failures.js';
import { jobTask, task, workflowTask } from '../../dag/task.js';
import type { RunState } from '../../workflows/dag-run/run-state.js';
import { failureOf, openBench, recordOf, resultOf, type Bench, type Run } from './engine-fixture.js';

/** What the tasks of a run did, by the label that the test gave the run. */
const events = new Map<string, string[]>();
const say = (label: string, event: string): void => void events.set(label, [...(events.get(label) ?? []), event]);
const said = (label: string): readonly string[] => events.get(label) ?? [];

const labelled = z.object({ label: z.string() });

/** Code that has a second of work left when it is told to stop. */
async function finishSlowly(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  await sleep(1_000);
}

const rent = task({
  name: 'rent',
  version: '1',
  input: labelled.extend({ how: z.string() }),
  output: z.object({ host: z.string() }),
  heartbeat: '1s',
  run: async ({ label, how }, { signal }) => {
    say(label, 'rent');
    if (how === 'rent slowly') {
      await finishSlowly(signal);
      say(label, 'rented');
    }
    return { host: 'h1' };
  },
});

const use = task({
  name: 'use',
  version: '1',
  input: z.object({ label: z.string(), host: z.string(), how: z.string() }),
  output: z.object({ used: z.boolean() }),
  retry: { attempts: 1 },
  heartbeat: '1s',
  run: async ({ label, how }, { signal, progress }) => {
    say(label, 'use');
    if (how === 'break') throw new SystemError('DataRejected', 'the data set has no rows');
    if (how === 'hang') {
      progress('hanging');
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    }
    if (how === 'use slowly') {
      await finishSlowly(signal);
      say(label, 'used');
      signal.throwIfAborted();
    }
    return { used: true };
  },
});

const giveBack = task({
  name: 'give-back',
  version: '1',
  input: labelled,
  output: z.object({}),
  run: ({ label }) => {
    say(label, 'give back');
    return {};
  },
});

const rental = dag({ name: 'rental', params: z.object({ label: z.string(), how: z.string() }) }, ({ params, step }) => {
  const rented = step(rent, { label: params.label, how: params.how }, { setup: true });
  const used = step(use, { label: params.label, host: rented.host, how: params.how });
  step(giveBack, { label: params.label }, { teardownOf: rented });
  return used;
});

/** A remote machine in this process: jobs by key. */
const machine = new Map<string, { submissions: number; released: number; how: string }>();

const train = jobTask({
  name: 'train',
  version: '1',
  input: labelled.extend({ how: z.string() }),
  output: z.object({ loss: z.number(), submissions: z.number() }),
  retry: { attempts: 3, firstDelay: '10ms' },
  heartbeat: '1s',
  submit: async ({ label, how }, { step, signal }) => {
    if (how === 'refuse') throw new SystemError('PermissionDenied', 'host gpu-1 refused the login');
    const job = machine.get(step.key) ?? { submissions: 0, released: 0, how };
    // The claim: the same submission joins, a later one starts anew.
    machine.set(step.key, { ...job, submissions: step.attempt });
    say(label, `submit ${step.attempt}`);
    if (how === 'submit slowly') {
      await finishSlowly(signal);
      say(label, 'submitted');
    }
    return { host: 'gpu-1', key: step.key };
  },
  await: async ({ label, how }, ref, { signal, progress, step }) => {
    say(label, `await ${(ref as { host: string }).host}`);
    progress({ step: 1 });
    const job = machine.get(step.key);
    if (how === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    if (how === 'flaky' && step.attempt < 2) throw new SystemError('HostLost', 'host gpu-1 stopped answering');
    if (how === 'fail') throw new SystemError('JobFailed', 'the program ended with 65', { retryable: false });
    return { loss: 0.5, submissions: job?.submissions ?? 0 };
  },
  release: async ({ label }, ref, { step }) => {
    say(label, `release ${ref === undefined ? 'nothing' : 'a job'}`);
    const job = machine.get(step.key);
    if (job !== undefined) machine.set(step.key, { ...job, released: job.released + 1 });
  },
});

const training = dag(
  { name: 'training', params: z.object({ label: z.string(), how: z.string() }) },
  ({ params, step }) => step(train, { label: params.label, how: params.how }),
);

const hastyTraining = dag(
  { name: 'hasty-training', params: z.object({ label: z.string(), how: z.string() }) },
  ({ params, step }) => step(train, { label: params.label, how: params.how }, { timeout: '2s' }),
);

const subRun = workflowTask({
  name: 'sub-run',
  version: '1',
  input: z.object({ label: z.string(), how: z.string() }),
  output: z.object({ outcome: z.string(), output: z.object({ used: z.boolean() }) }),
  workflowType: 'rental',
});

const outer = dag({ name: 'outer', params: z.object({ label: z.string(), how: z.string() }) }, ({ params, step }) => {
  const sub = step(subRun, { label: params.label, how: params.how });
  return { used: sub.output.used, date: sub.outcome };
});

let bench: Bench;
beforeAll(async () => {
  bench = await openBench([rental, training, hastyTraining, outer]);
});
afterAll(() => bench.close());

const stateOf = (run: Run) => run.query<RunState>('state');
const isRunning = (run: Run, id: string, label: string, event: string) =>
  expect
    .poll(
      async () => ((await stateOf(run)).steps.find((step) => step.id === id)?.status === 'running' ? said(label) : []),
      { timeout: 20_000 },
    )
    .toContain(event);

describe('teardowns', () => {
  it('run after success', async () => {
    const label = randomUUID();
    expect(await resultOf(await bench.start('rental', { label, how: 'well' }))).toMatchObject({ outcome: 'succeeded' });
    expect(said(label)).toEqual(['rent', 'use', 'give back']);
  });

  it('run after a failure, which stays the run’s', async () => {
    const label = randomUUID();
    const failure = await failureOf(await bench.start('rental', { label, how: 'break' }));
    expect(failure.message).toBe('step "use" failed: the data set has no rows');
    expect(said(label)).toEqual(['rent', 'use', 'give back']);
  });

  it('run after a cancellation, which reaches the running step', async () => {
    const label = randomUUID();
    const run = await bench.start('rental', { label, how: 'hang' });
    await isRunning(run, 'use', label, 'use');
    await run.cancel();
    expect((await failureOf(run)).name).toBe('CancelledFailure');
    expect(said(label)).toEqual(['rent', 'use', 'give back']);
    expect(await recordOf(bench, run)).toMatchObject({
      status: 'cancelled',
      outcome: 'cancelled',
      steps: { rent: { status: 'success' }, use: { status: 'cancelled' }, 'give-back': { status: 'success' } },
    });
  });
});

describe('a cancellation', () => {
  const cancelDuring = async (how: string, [name, id, event]: readonly [string, string, string]) => {
    const label = randomUUID();
    const run = await bench.start(name, { label, how });
    await isRunning(run, id, label, event);
    await run.cancel();
    expect((await failureOf(run)).name).toBe('CancelledFailure');
    return { label, run };
  };

  it('begins a teardown only once the cancelled step’s code has ended', async () => {
    const { label, run } = await cancelDuring('use slowly', ['rental', 'use', 'use']);
    expect(said(label)).toEqual(['rent', 'use', 'used', 'give back']);
    expect((await recordOf(bench, run)).steps).toMatchObject({ use: { status: 'cancelled' } });
  });

  it('takes back what a setup acquired that was under way and succeeded', async () => {
    const { label, run } = await cancelDuring('rent slowly', ['rental', 'rent', 'rent']);
    expect(said(label)).toEqual(['rent', 'rented', 'give back']);
    expect(await recordOf(bench, run)).toMatchObject({
      outcome: 'cancelled',
      steps: { rent: { status: 'success' }, use: { status: 'cancelled' }, 'give-back': { status: 'success' } },
    });
  });

  it('releases a job only once its submission has ended, and knows the job', async () => {
    const { label } = await cancelDuring('submit slowly', ['training', 'train', 'submit 1']);
    expect(said(label)).toEqual(['submit 1', 'submitted', 'release a job']);
  });
});

describe('a step that is a remote job', () => {
  it('is submitted, awaited and released', async () => {
    const label = randomUUID();
    const result = await resultOf(await bench.start('training', { label, how: 'well' }));
    expect(result.output).toEqual({ loss: 0.5, submissions: 1 });
    expect(said(label)).toEqual(['submit 1', 'await gpu-1', 'release a job']);
  });

  it('is submitted again where its host was lost, and released once', async () => {
    const label = randomUUID();
    const run = await bench.start('training', { label, how: 'flaky' });
    expect((await resultOf(run)).output).toEqual({ loss: 0.5, submissions: 2 });
    expect(said(label)).toEqual(['submit 1', 'await gpu-1', 'submit 2', 'await gpu-1', 'release a job']);
    expect((await recordOf(bench, run)).steps.train?.attempts).toBe(2);
  });

  it('is not submitted again where that cannot help, and is released', async () => {
    const label = randomUUID();
    const failure = await failureOf(await bench.start('training', { label, how: 'fail' }));
    expect(failure.message).toBe('step "train" failed: the program ended with 65');
    expect(said(label)).toEqual(['submit 1', 'await gpu-1', 'release a job']);
  });

  it('is released though no submission answered: it may have had its effect', async () => {
    const label = randomUUID();
    await failureOf(await bench.start('training', { label, how: 'refuse' }));
    expect(said(label)).toEqual(['release nothing']);
  });

  it('that takes longer than its time-out is ended, and fails its step', async () => {
    const label = randomUUID();
    const run = await bench.start('hasty-training', { label, how: 'hang' });
    const failure = await failureOf(run);
    expect(failure.message).toBe(
      'step "train" failed: the job took longer than its time-out of 2000 ms, so it was ended',
    );
    expect(said(label)).toEqual(['submit 1', 'await gpu-1', 'release a job']);
    expect((await recordOf(bench, run)).error?.type).toBe('DeadlineExceeded');
  });

  it('is released when the run is cancelled', async () => {
    const label = randomUUID();
    const run = await bench.start('training', { label, how: 'hang' });
    await isRunning(run, 'train', label, 'await gpu-1');
    await run.cancel();
    expect((await failureOf(run)).name).toBe('CancelledFailure');
    expect(said(label)).toEqual(['submit 1', 'await gpu-1', 'release a job']);
  });
});

describe('a step that is a workflow', () => {
  it('runs as a child under the run’s id and the step’s, with the run’s logical date', async () => {
    const label = randomUUID();
    const run = await bench.start('outer', { label, how: 'well' });
    expect((await resultOf(run)).output).toEqual({ used: true, date: 'succeeded' });
    const child = bench.client.workflow.getHandle(`${run.workflowId}/sub-run`);
    const [own, parents] = [await child.query<RunState>('state'), await stateOf(run)];
    expect(own.run).toMatchObject({ dag: 'rental', trigger: 'parent', logicalDate: parents.run.logicalDate });
  });

  it('gives its parent its root cause', async () => {
    const label = randomUUID();
    const failure = await failureOf(await bench.start('outer', { label, how: 'break' }));
    expect(failure.message).toBe('step "sub-run" failed: step "use" failed: the data set has no rows');
  });

  it('is cancelled with its parent, which waits for its clean-up', async () => {
    const label = randomUUID();
    const run = await bench.start('outer', { label, how: 'hang' });
    await expect.poll(() => said(label), { timeout: 20_000 }).toContain('use');
    await run.cancel();
    expect((await failureOf(run)).name).toBe('CancelledFailure');
    expect(said(label)).toEqual(['rent', 'use', 'give back']);
  });
});
