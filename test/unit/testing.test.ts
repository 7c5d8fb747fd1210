import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isTrue } from '../../dag/condition.js';
import { dag } from '../../dag/dag.js';
import { jobTask, task } from '../../dag/task.js';
import { memorySystems } from '../../testing/memory-systems.js';
import { runDag } from '../../testing/run-dag.js';
import { runTask } from '../../testing/run-task.js';

const text = z.object({ text: z.string() });

const store = task({
  name: 'store',
  version: '1',
  input: z.object({ key: z.string().default('note'), text: z.string() }),
  output: z.object({ key: z.string(), long: z.boolean() }),
  run: async ({ key, text: body }, { systems }) => {
    await systems.objects.put(key, body);
    return { key, long: body.length > 3 };
  },
});

const shout = task({
  name: 'shout',
  version: '1',
  input: text,
  output: text,
  run: ({ text: body }) => {
    if (body === '') throw new Error('nothing to shout');
    return { text: body.toUpperCase() };
  },
});

const events: string[] = [];
const remote = jobTask({
  name: 'remote',
  version: '1',
  input: text,
  output: text,
  submit: ({ text: body }) => {
    events.push('submit');
    return Promise.resolve(body);
  },
  await: async (_input, job) => {
    events.push('await');
    if (job === 'lost') throw new Error('the host is gone');
    return { text: job };
  },
  release: async () => void events.push('release'),
});

const pipeline = dag({ name: 'shouting', params: text }, ({ params, step }) => {
  const loud = step(shout, { text: params.text });
  const stored = step(store, { text: loud.text });
  step(remote, { text: stored.key }, { when: isTrue(stored.long) });
  return { key: stored.key };
});

describe('a task under test', () => {
  it('is given the defaults of its input and the systems of the test', async () => {
    const systems = memorySystems();
    expect(await runTask(store, { text: 'hi' }, { systems })).toEqual({ key: 'note', long: false });
    expect(await systems.objects.head('note')).toMatchObject({ sizeBytes: 2 });
  });

  it('is refused what its schemas refuse', async () => {
    await expect(runTask(store, { text: 1 } as never)).rejects.toThrow('input of store: 1 problem: text: ');
    const wrong = task({ name: 'wrong', version: '1', input: text, output: text, run: () => ({}) as { text: string } });
    await expect(runTask(wrong, { text: '' })).rejects.toMatchObject({ type: 'InvalidOutput' });
  });

  it('that is a job is released whatever happened', async () => {
    events.length = 0;
    await expect(runTask(remote, { text: 'lost' })).rejects.toThrow('the host is gone');
    expect(events).toEqual(['submit', 'await', 'release']);
  });
});

describe('a DAG under test', () => {
  it('runs its steps by its own wiring and conditions', async () => {
    const short = await runDag(pipeline, { text: 'hi' });
    expect(short).toMatchObject({ status: 'success', output: { key: 'note' }, steps: { remote: 'skipped' } });
    expect(short.reasons['remote']).toContain('condition does not hold');
    expect((await runDag(pipeline, { text: 'hello' })).steps).toEqual({
      shout: 'success',
      store: 'success',
      remote: 'success',
    });
  });

  it('fails as a run would, and says why', async () => {
    const run = await runDag(pipeline, { text: '' });
    expect(run).toMatchObject({
      status: 'failed',
      output: { key: null },
      steps: { shout: 'failed', store: 'upstream_failed', remote: 'upstream_failed' },
      reasons: { shout: 'nothing to shout' },
    });
  });

  it('takes stand-ins for steps, and stops where it is told', async () => {
    const run = await runDag(
      pipeline,
      { text: 'x' },
      { standIns: { shout: () => ({ text: 'other' }) }, stopAfter: 'store' },
    );
    expect(run.steps).toEqual({ shout: 'success', store: 'success' });
  });

  it('refuses parameters with every problem', async () => {
    await expect(runDag(pipeline, { text: 3 } as never)).rejects.toThrow('shouting: 1 problem: text');
  });
});
