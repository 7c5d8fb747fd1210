import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { NativeConnection } from '@temporalio/worker';
import { msToTs } from '@temporalio/common/lib/time.js';
import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { listRuns } from '../../client/list-runs.js';
import { isTrue } from '../../dag/condition.js';
import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import { createWorker } from '../../workers/create-worker.js';
import type { RunState } from '../../workflows/dag-run/run-state.js';
import { failureOf, openBench, recordOf, resultOf, systemsWith, type Bench, type Run } from './engine-fixture.js';

const measure = (version: string, bonus: number) =>
  task({
    name: 'measure',
    version,
    input: z.object({ model: z.string() }),
    output: z.object({ score: z.number(), passed: z.boolean() }),
    run: ({ model }) => ({ score: model.length + bonus, passed: model.length > 3 }),
  });

const announce = task({
  name: 'announce',
  version: '1',
  input: z.object({ score: z.number(), reason: z.string().optional() }),
  output: z.object({ said: z.string() }),
  run: ({ score, reason }) => ({ said: `${score} ${reason ?? ''}`.trim() }),
});

const judging = (version: string, bonus: number) =>
  dag(
    {
      name: 'judging',
      params: z.strictObject({ model: z.string().min(2), bound: z.number().default(3), reason: z.string().optional() }),
      resolve: (params, { models, environment }) => ({
        ...params,
        owner: models.get(params.model) ?? 'nobody',
        environment,
      }),
    },
    ({ params, step }) => {
      const measured = step(measure(version, bonus), { model: params.model });
      const announced = step(
        announce,
        { score: measured.score, reason: params.reason },
        { when: isTrue(measured.passed) },
      );
      return { outcome: 'judged', said: announced.said, owner: params.owner };
    },
  );

const broken = dag(
  {
    name: 'broken',
    params: z.object({}),
    resolve: () => ({ score: (undefined as unknown as string).length }),
  },
  ({ params, step }) => {
    step(announce, { score: params.score });
  },
);

let bench: Bench;
beforeAll(async () => {
  bench = await openBench([judging('1', 0), broken], { models: new Map([['router', 'team-a']]) });
});
afterAll(() => bench.close());

const eventsOf = async (run: Run) => (await run.fetchHistory()).events ?? [];

describe('what a run is started with', () => {
  it('is refused at once, before any step, with one message that has every problem', async () => {
    const run = await bench.start('judging', { model: 'x', bund: 3, bound: 'high', dryRun: 'yes' });
    const failure = await failureOf(run);
    expect(failure.type).toBe('InvalidInput');
    expect(failure.message).toMatch(/^judging: 4 problems: /);
    for (const path of ['model: ', 'bund: is not known here', 'bound: must be a number', 'dryRun: must be a boolean'])
      expect(failure.message).toContain(path);
    const scheduled = (await eventsOf(run)).filter((event) => event.activityTaskScheduledEventAttributes);
    expect(scheduled).toEqual([]);
  });

  it('is found among the failed runs of its environment where it was refused', async () => {
    const refused = [await bench.start('judging', { model: 'x' }), await bench.start('juging', {})];
    for (const run of refused) await failureOf(run);
    const listed = async () => {
      const found: string[] = [];
      for await (const { workflowId } of listRuns(bench.client, 'dev', { outcome: 'failed' })) found.push(workflowId);
      return found;
    };
    const ids = refused.map(({ workflowId }) => workflowId);
    await expect.poll(listed, { timeout: 20_000 }).toEqual(expect.arrayContaining(ids));
  });

  it('is refused where it is no JSON object, and where it is missing', async () => {
    expect((await failureOf(await bench.start('judging', 'router'))).message).toContain('one JSON object');
    expect((await failureOf(await bench.start('judging'))).message).toBe('judging: 1 problem: model: required');
  });

  it('ends the run at once where the DAG’s own resolution has a defect', async () => {
    const run = await bench.start('broken');
    const failure = await failureOf(run);
    expect(failure).toMatchObject({ type: 'TaskFailed' });
    expect(failure.message).toMatch(/^resolve of DAG broken threw "TypeError: .*": mend it/);
    const scheduled = (await eventsOf(run)).filter((event) => event.activityTaskScheduledEventAttributes);
    expect(scheduled).toEqual([]);
  });

  it('is completed by the DAG’s own resolution, and pinned in the run record', async () => {
    const run = await bench.start('judging', { model: 'router' });
    expect((await resultOf(run)).output).toEqual({ outcome: 'judged', said: '6', owner: 'team-a' });
    const record = await recordOf(bench, run);
    expect(record.params).toEqual({ model: 'router', bound: 3, owner: 'team-a', environment: 'dev' });
    expect(record).toMatchObject({
      model: 'router',
      status: 'completed',
      outcome: 'judged',
      run: { dag: 'judging', environment: 'dev', trigger: 'manual' },
      graph: { digest: judging('1', 0).graph.digest },
      output: { value: { owner: 'team-a' } },
      steps: { measure: { status: 'success', attempts: 1, output: { value: { score: 6, passed: true } } } },
    });
  });

  it('may say who asks and why, also where the DAG has a parameter of that name', async () => {
    const run = await bench.start('judging', { model: 'router', reason: 'curious', by: 'ada' });
    expect((await resultOf(run)).output).toMatchObject({ said: '6 curious' });
    expect((await run.query<RunState>('state')).run).toMatchObject({ reason: 'curious', by: 'ada' });
  });

  it('may stop the run after a step', async () => {
    const result = await resultOf(await bench.start('judging', { model: 'router', stopAfter: 'measure' }));
    expect(result).toMatchObject({ outcome: 'stopped', steps: { measure: 'success' } });
    expect(result.steps).not.toHaveProperty('announce');
    const failure = await failureOf(await bench.start('judging', { model: 'router', stopAfter: 'mesure' }));
    expect(failure).toMatchObject({ type: 'InvalidInput' });
    expect(failure.message).toContain('its steps are measure, announce');
  });

  it('may ask only what would run', async () => {
    const run = await bench.start('judging', { model: 'router', dryRun: true });
    expect(await resultOf(run)).toMatchObject({
      outcome: 'stopped',
      output: {
        params: { owner: 'team-a' },
        steps: [{ id: 'measure' }, { id: 'announce', after: ['measure'], when: 'steps.measure.passed is true' }],
      },
      steps: { measure: 'waiting', announce: 'waiting' },
    });
    expect(await recordOf(bench, run)).toMatchObject({ dryRun: true, status: 'completed', outcome: 'stopped' });
  });
});

describe('what a person sees of a run', () => {
  it('is a table in its details, its search attributes, and a summary on every activity', async () => {
    const run = await bench.start('judging', { model: 'cat' });
    await run.result();
    const metadata = await run.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain('**judging · cat · judged** · 2 of 2 steps done');
    expect(metadata.currentDetails).toMatch(/\| ✓ \| measure \| success \| .* s \| {2}\|/);
    expect(metadata.currentDetails).toMatch(/\| – \| announce \| skipped \| {2}\| its condition does not hold/);
    const { typedSearchAttributes: attributes } = await run.describe();
    const keyword = (name: string) => attributes.get(defineSearchAttributeKey(name, SearchAttributeType.KEYWORD));
    expect(keyword('PawlDag')).toBe('judging');
    expect(keyword('PawlModel')).toBe('cat');
    expect(keyword('PawlEnvironment')).toBe('dev');
    expect(keyword('PawlTrigger')).toBe('manual');
    expect(keyword('PawlOutcome')).toBe('judged');
    const events = await eventsOf(run);
    const scheduled = events.filter((event) => event.activityTaskScheduledEventAttributes);
    expect(scheduled.length).toBeGreaterThan(0);
    expect(scheduled.filter((event) => event.userMetadata?.summary?.data == null)).toEqual([]);
  });
});

describe('a worker that does not know', () => {
  it('the DAG: the run fails with the known names once the time for a deploy is over', async () => {
    const run = await bench.start('juging', { model: 'router' });
    const details = () => run.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    await expect
      .poll(async () => (await details()).currentDetails)
      .toContain('known are announce, broken, judging, measure');
    const failure = await failureOf(run);
    expect(failure).toMatchObject({ type: 'UnknownDag' });
    expect(failure.message).toBe(
      'No DAG or task is named "juging" here; known are announce, broken, judging, measure.',
    );
  });

  it('the DAG: the run goes on with the worker that does', async () => {
    const later = dag({ name: 'later', params: z.object({}) }, ({ step }) => step(announce, { score: 1 }));
    const own = await openBench([], { withoutWorker: true, deployWaitMs: 20_000 });
    try {
      const old = await own.addWorker({ dags: [judging('1', 0)] });
      const run = await own.start('later');
      const details = () => run.query<{ currentDetails: string }>('__temporal_workflow_metadata');
      await expect.poll(async () => (await details()).currentDetails).toContain('waiting to be admitted');
      await old.stop();
      await own.addWorker({ dags: [later] });
      expect(await resultOf(run)).toMatchObject({ output: { said: '1' } });
    } finally {
      await own.close();
    }
  });

  it('the task’s pinned version: the step fails and says what to deploy, or goes on once it is there', async () => {
    const own = await openBench([], { withoutWorker: true, deployWaitMs: 2_000 });
    try {
      const slow = task({
        name: 'slow',
        version: '1',
        input: z.object({}),
        output: z.object({}),
        run: () => new Promise<Record<string, never>>((resolve) => setTimeout(() => resolve({}), 1_000)),
      });
      const twoSteps = (version: string) =>
        dag({ name: 'two-steps', params: z.object({}) }, ({ step }) => {
          const first = step(slow, {});
          return step(measure(version, 10), { model: 'abcd' }, { after: first });
        });
      const statusOf = async (run: Run) => (await run.query<RunState>('state')).steps.map(({ reason }) => reason);

      const old = await own.addWorker({ dags: [twoSteps('1')] });
      const [doomed, saved] = [await own.start('two-steps'), await own.start('two-steps')];
      await expect.poll(async () => (await saved.query<RunState>('state')).steps[0]?.status).toBe('running');
      await expect.poll(async () => (await doomed.query<RunState>('state')).steps[0]?.status).toBe('running');
      await old.stop();
      const next = await own.addWorker({ dags: [twoSteps('2')] });
      const failure = await failureOf(doomed);
      expect(failure.message).toMatch(
        /^step "measure" failed: The run was started with task measure version 1 \(.*\), and this worker has version 2: deploy a worker that has it/,
      );
      expect(failure.details).toMatchObject([{ step: 'measure', type: 'TaskContractMissing' }]);
      await failureOf(saved);

      const patient = await own.start('two-steps');
      await expect.poll(async () => (await patient.query<RunState>('state')).steps[0]?.status).toBe('running');
      await next.stop();
      const third = await own.addWorker({ dags: [twoSteps('3')], deployWaitMs: 20_000 });
      await expect
        .poll(() => statusOf(patient), { timeout: 20_000 })
        .toContainEqual(expect.stringContaining('waits for a deploy'));
      await third.stop();
      await own.addWorker({ dags: [twoSteps('2')] });
      expect(await resultOf(patient)).toMatchObject({ output: { score: 14 } });
    } finally {
      await own.close();
    }
  });
});

describe('a worker', () => {
  const options = { systems: systemsWith(new MemoryObjectStore()), externalStorage: null } as const;

  it('refuses two things of one name, in one sentence', async () => {
    const other = dag({ name: 'announce', params: z.object({}) }, ({ step }) => step(measure('1', 0), { model: 'a' }));
    await expect(
      createWorker({ ...options, address: inject('temporal').address, dags: [judging('1', 0), other] }),
    ).rejects.toThrow('a DAG and a task are both named "announce"');
  });

  it('refuses to start where search attributes are missing, and names the command that sets them', async () => {
    const namespace = `bare-${randomUUID()}`;
    await bench.client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    const connection = await NativeConnection.connect({ address: inject('temporal').address });
    const attempt = () => createWorker({ ...options, connection, namespace, dags: [judging('1', 0)] });
    // A namespace takes a moment to be known to the whole server.
    await expect
      .poll(() => attempt().then(String, (error: Error) => error.message), { timeout: 20_000 })
      .toMatch(/lacks the search attributes PawlDag, PawlModel, .*: run "pawl setup" once/);
    await connection.close();
  });

  it('says where it looked where no Temporal server answers', async () => {
    await expect(createWorker({ ...options, address: '127.0.0.1:1', dags: [] })).rejects.toThrow(
      'No Temporal server answers at 127.0.0.1:1',
    );
  });
});
