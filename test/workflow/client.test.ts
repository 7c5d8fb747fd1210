import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PawlClient } from '../../client/client.js';
import type { WantedSchedule } from '../../client/schedule-definition.js';
import { listSchedules } from '../../client/schedule-list.js';
import { applySchedules, runScheduleNow } from '../../client/schedules.js';
import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import { openBench, type Bench } from './engine-fixture.js';

const greet = task({
  name: 'greet',
  version: '1',
  input: z.object({ name: z.string(), times: z.number().int().positive().default(1) }),
  output: z.object({ text: z.string(), logicalDate: z.string(), trigger: z.string(), reason: z.string() }),
  run: ({ name, times }, { run }) => {
    if (name === 'nobody') throw new Error('there is nobody to greet');
    return {
      text: `hello ${name}`.repeat(times),
      logicalDate: run.logicalDate,
      trigger: run.trigger,
      reason: run.reason ?? '',
    };
  },
  retry: { attempts: 1 },
});

const greeting = dag({ name: 'greeting', params: z.strictObject({ name: z.string() }) }, ({ params, step }) => {
  const greeted = step(greet, { name: params.name });
  return greeted;
});

/** Ends once the test says so. */
const gate = { open: (): void => undefined, opened: Promise.resolve() };
const dawdle = task({
  name: 'dawdle',
  version: '1',
  input: z.strictObject({}),
  output: z.object({ logicalDate: z.string() }),
  run: async (_, { run }) => {
    await gate.opened;
    return { logicalDate: run.logicalDate };
  },
});

let bench: Bench;
let pawl: PawlClient;
beforeAll(async () => {
  bench = await openBench([greeting], { tasks: [dawdle] });
  const { client, taskQueue } = bench;
  pawl = new PawlClient({ client, environment: 'dev', taskQueue, known: [greeting, greet, dawdle] });
});
afterAll(() => bench.close());

describe('the client', () => {
  it('starts a run and waits for its result', async () => {
    const run = await pawl.start(greeting, { name: 'ada' }, { reason: 'a test' });
    expect((await pawl.result(run)).output).toMatchObject({ text: 'hello ada', trigger: 'manual', reason: 'a test' });
  });

  it('starts nothing on bad input, and lists every problem in one message', async () => {
    const id = randomUUID();
    const bad = { name: 7, nmae: 'ada' } as unknown as { name: string };
    await expect(pawl.start(greeting, bad, { id })).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        'greeting: 2 problems: name: must be a string, not a number; nmae: is not known here: did you mean name?',
    });
    await expect(pawl.start(greeting, { name: 'ada' }, { id, stopAfter: 'gret' })).rejects.toThrow(
      'its steps are greet',
    );
    await expect(pawl.cancel(pawl.workflowId('greeting', id))).rejects.toMatchObject({ type: 'NotFound' });
  });

  it('refuses a name that it does not know, and says which it knows', async () => {
    await expect(pawl.start('greting', {})).rejects.toThrow(
      'No DAG or task is named "greting"; known are dawdle, greet, greeting.',
    );
  });

  it('starts one run for an event that is told twice, whether the run goes on or has ended', async () => {
    const event = { id: randomUUID(), reason: 'drift of 0.31' };
    const [first, second] = await Promise.all([
      pawl.trigger(greeting, { name: 'ada' }, event),
      pawl.trigger(greeting, { name: 'ada' }, event),
    ]);
    expect(second).toEqual(first);
    expect((await pawl.result(first)).output).toMatchObject({ trigger: 'alert', reason: 'drift of 0.31' });
    expect(await pawl.trigger(greeting, { name: 'ada' }, event)).toEqual(first);
  });

  it('throws a failed run’s own failure', async () => {
    const run = await pawl.start(greeting, { name: 'nobody' });
    await expect(pawl.result(run)).rejects.toMatchObject({
      type: 'StepFailed',
      message: `run ${run.workflowId}: step "greet" failed: there is nobody to greet`,
      details: { step: 'greet', type: 'TaskFailed' },
    });
  });

  it('gives a run the logical date that was asked for', async () => {
    const run = await pawl.start(greeting, { name: 'ada' }, { logicalDate: '2026-03-01T02:00:00.000Z' });
    expect((await pawl.result(run)).output).toMatchObject({ logicalDate: '2026-03-01T02:00:00.000Z' });
    expect((await pawl.state(run)).run.logicalDate).toBe('2026-03-01T02:00:00.000Z');
  });

  it('lists runs with their outcome', async () => {
    const run = await pawl.start(greeting, { name: 'ada' });
    await pawl.result(run);
    await expect
      .poll(
        async () => {
          for await (const found of pawl.list({ dag: 'greeting', outcome: 'succeeded' }))
            if (found.workflowId === run.workflowId) return found;
          return undefined;
        },
        { timeout: 20_000 },
      )
      .toMatchObject({
        runId: run.runId,
        dag: 'greeting',
        status: 'COMPLETED',
        outcome: 'succeeded',
        trigger: 'manual',
      });
  });
});

describe('schedules', () => {
  const daily: WantedSchedule = {
    name: 'ada',
    dag: 'greeting',
    params: { name: 'ada' },
    cron: '0 2 * * *',
    timezone: 'Europe/Berlin',
  };

  it('come to what is wanted, say what differs, and change nothing the second time', async () => {
    const scope = { environment: 'dev', taskQueue: `schedules-${randomUUID()}` };
    const name = `ada-${randomUUID()}`;
    const apply = (wanted: readonly WantedSchedule[], dryRun = false) =>
      applySchedules(bench.client, wanted, { ...scope, owner: 'a test', dryRun });
    const listed = (count: number) =>
      expect.poll(async () => (await listSchedules(bench.client, scope)).length, { timeout: 20_000 }).toBe(count);
    const foreign = await bench.client.schedule.create({
      scheduleId: `pawl/dev/foreign-${randomUUID()}`,
      spec: { cronExpressions: ['0 0 1 1 *'] },
      action: { type: 'startWorkflow', workflowType: 'greeting', taskQueue: 'nowhere' },
    });

    expect(await apply([{ ...daily, name }], true)).toMatchObject([{ kind: 'create', name }]);
    expect(await apply([{ ...daily, name }])).toMatchObject([{ kind: 'create', name }]);
    // Before the server's list shows it.
    await apply([{ ...daily, name }]);
    await listed(1);
    expect(await apply([{ ...daily, name }])).toEqual([{ kind: 'unchanged', name }]);
    await bench.client.schedule.getHandle(`pawl/dev/${name}`).pause('on holiday');
    expect(await apply([{ ...daily, name, cron: '0 3 * * *' }])).toMatchObject([
      { kind: 'update', differences: ['cron: "0 2 * * *" → "0 3 * * *"'] },
    ]);
    const description = await bench.client.schedule.getHandle(`pawl/dev/${name}`).describe();
    expect(description.state).toMatchObject({ paused: true, note: 'on holiday' });
    expect(description.policies).toMatchObject({ overlap: 'BUFFER_ONE', catchupWindow: 6 * 3_600_000 });
    expect(await apply([])).toEqual([{ kind: 'delete', name }]);
    await listed(0);
    expect((await foreign.describe()).scheduleId).toBe(foreign.scheduleId);
    await foreign.delete();
  });

  it('of one owner stay when another applies its own, and a name that another has is refused', async () => {
    const scope = { environment: 'dev', taskQueue: `schedules-${randomUUID()}` };
    const [ours, theirs] = [`ours-${randomUUID()}`, `theirs-${randomUUID()}`];
    const apply = (owner: string, names: readonly string[]) =>
      applySchedules(
        bench.client,
        names.map((name) => ({ ...daily, name })),
        { ...scope, owner },
      );
    const owners = async () =>
      Object.fromEntries(
        (await listSchedules(bench.client, scope)).map(({ schedule, owner }) => [schedule.name, owner]),
      );
    await apply('models', [ours]);
    await apply('reports', [theirs]);
    // Before the server's list shows it.
    await expect(apply('reports', [ours])).rejects.toMatchObject({ type: 'Conflict' });
    await expect.poll(owners, { timeout: 20_000 }).toEqual({ [ours]: 'models', [theirs]: 'reports' });
    expect(await apply('models', [ours])).toEqual([{ kind: 'unchanged', name: ours }]);
    const extra = `extra-${randomUUID()}`;
    await expect(apply('reports', [theirs, extra, ours])).rejects.toMatchObject({
      type: 'Conflict',
      message: expect.stringContaining('belongs to the owner "models"') as string,
    });
    expect(await apply('reports', [])).toEqual([{ kind: 'delete', name: theirs }]);
    await expect.poll(owners, { timeout: 20_000 }).toEqual({ [ours]: 'models' });
    await apply('models', []);
  });

  it('give a run its scheduled time as its logical date', async () => {
    const scope = { environment: 'dev', taskQueue: bench.taskQueue };
    const name = `ada-${randomUUID()}`;
    await applySchedules(bench.client, [{ ...daily, name }], { ...scope, owner: 'a test' });
    await runScheduleNow(bench.client, scope, name);
    const handle = bench.client.schedule.getHandle(`pawl/dev/${name}`);
    await expect.poll(async () => (await handle.describe()).info.recentActions.length, { timeout: 20_000 }).toBe(1);
    const [action] = (await handle.describe()).info.recentActions;
    const { output } = await pawl.result<{ logicalDate: string; trigger: string }>(
      action?.action.workflow.workflowId ?? '',
    );
    expect(output.trigger).toBe('schedule');
    expect(action?.action.workflow.workflowId).toContain(output.logicalDate.slice(0, 19));
    await handle.delete();
  });

  it('that overlap run one after the other: one waits, and what is due besides is skipped and counted', async () => {
    const scope = { environment: 'dev', taskQueue: bench.taskQueue };
    const name = `slow-${randomUUID()}`;
    gate.opened = new Promise((resolve) => (gate.open = resolve));
    await applySchedules(bench.client, [{ ...daily, name, dag: 'dawdle', params: {} }], { ...scope, owner: 'a test' });
    const status = async () =>
      (await listSchedules(bench.client, scope)).find(({ schedule }) => schedule.name === name);
    await expect.poll(status, { timeout: 20_000 }).toMatchObject({ running: [], skipped: 0, paused: false });
    await runScheduleNow(bench.client, scope, name);
    await expect.poll(async () => (await status())?.running.length, { timeout: 20_000 }).toBe(1);
    // A second apart, since Temporal names a run by the second in which it was due.
    for (let times = 0; times < 3; times += 1) {
      await sleep(1_100);
      await runScheduleNow(bench.client, scope, name);
    }
    await expect.poll(async () => (await status())?.skipped, { timeout: 20_000 }).toBe(2);
    const [first] = (await status())?.running ?? [];
    gate.open();
    const handle = bench.client.schedule.getHandle(`pawl/dev/${name}`);
    const begun = async () =>
      (await handle.describe()).info.recentActions.map(({ action }) => action.workflow.workflowId);
    await expect.poll(async () => (await begun()).length, { timeout: 20_000 }).toBe(2);
    const ids = await begun();
    expect(ids[0]).toBe(first);
    const dates = await Promise.all(
      ids.map(async (id) => (await pawl.result<{ logicalDate: string }>(id)).output.logicalDate),
    );
    expect(new Set(dates).size).toBe(2);
    expect((await status())?.running).toEqual([]);
    await handle.delete();
  });

  it('refuse a cron that Temporal cannot read, with its name', async () => {
    const scope = { environment: 'dev', taskQueue: `schedules-${randomUUID()}` };
    await expect(
      applySchedules(bench.client, [{ ...daily, name: 'odd', cron: 'every day' }], { ...scope, owner: 'a test' }),
    ).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/^Temporal refused schedule odd: /) as string,
    });
  });
});
