import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { admit } from '../../activities/engine/admit.js';
import { catalogOf } from '../../activities/engine/catalog.js';
import { dag } from '../../dag/dag.js';
import { SystemError } from '../../dag/failures.js';
import { task } from '../../dag/task.js';
import type { Systems } from '../../systems/systems.js';

const work = (resolve?: () => { rows: number }) =>
  task({
    name: 'work',
    version: '1',
    input: z.object({ rows: z.number() }),
    output: z.object({}),
    ...(resolve === undefined ? {} : { alone: { params: z.object({}), resolve } }),
    run: () => ({}),
  });

const nightly = (resolve: () => object, params: z.ZodType<object> = z.object({})) =>
  dag({ name: 'nightly', params, resolve }, ({ step }) => {
    step(work(), { rows: 1 });
  });

const admission = (name: string, dags: Parameters<typeof catalogOf>[0], tasks: Parameters<typeof catalogOf>[1] = []) =>
  admit(
    {
      catalog: catalogOf(dags, tasks),
      systems: { environment: 'dev' } as Systems,
      models: new Map(),
      deployWaitMs: 1_000,
    },
    { name, input: {}, workflowId: 'w', runId: 'r', trigger: 'manual', logicalDate: '2026-03-01T02:00:00.000Z' },
  ).catch((error: unknown) => error);

const throwing = (error: unknown) => () => {
  throw error;
};

describe('an admission', () => {
  it('fails for good, with the DAG and the error, where its resolve has a defect', async () => {
    const missing = () => ({ rows: (undefined as unknown as string[]).length });
    expect(await admission('nightly', [nightly(missing)])).toMatchObject({
      type: 'TaskFailed',
      retryable: false,
      message:
        'resolve of DAG nightly threw "TypeError: Cannot read properties of undefined (reading \'length\')": mend it, deploy it and start the run anew.',
      details: { environment: 'dev' },
    });
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;

  it.each<[string, () => object, string]>([
    ['threw a plain Error', throwing(new Error('no such team')), '"Error: no such team"'],
    ['threw no Error at all', throwing('oh'), '"oh"'],
    ['gave a bigint', () => ({ rows: 1n }), 'BigInt'],
    ['gave a circle', () => circle, 'circular structure'],
  ])('fails for good where its resolve %s', async (_, resolve, said) => {
    expect(await admission('nightly', [nightly(resolve)])).toMatchObject({
      type: 'TaskFailed',
      retryable: false,
      message: expect.stringMatching(/^resolve of DAG nightly threw [^\n]*$/) as string,
    });
    expect(String(await admission('nightly', [nightly(resolve)]))).toContain(said);
  });

  it('fails for good where a check of its parameters has a defect', async () => {
    const params = z.object({}).refine(throwing(new Error('oh')));
    expect(await admission('nightly', [nightly(() => ({}), params)])).toMatchObject({
      type: 'TaskFailed',
      retryable: false,
      message: 'the params of DAG nightly threw "Error: oh": mend it, deploy it and start the run anew.',
    });
  });

  it('names the task where one is started alone', async () => {
    expect(await admission('work', [], [work(throwing(new Error('oh')))])).toMatchObject({
      type: 'TaskFailed',
      retryable: false,
      message: expect.stringContaining('resolve of task work threw "Error: oh"') as string,
    });
  });

  it('is refused as wrong input where a schema within resolve refuses', async () => {
    const resolve = () => z.object({ team: z.object({ name: z.string() }) }).parse({ team: {} });
    expect(await admission('nightly', [nightly(resolve)])).toMatchObject({
      type: 'InvalidInput',
      retryable: false,
      message: expect.stringMatching(/^resolve of DAG nightly refused what it was given: team\.name: /) as string,
    });
  });

  it('is tried again where resolve met passing trouble, and as it says itself', async () => {
    const away = new SystemError('Unavailable', 'the lake is away');
    expect(await admission('nightly', [nightly(throwing(away))])).toMatchObject({
      type: 'Unavailable',
      retryable: true,
      message: 'the lake is away',
    });
    const own = ApplicationFailure.retryable('later', 'Mine');
    expect(await admission('nightly', [nightly(throwing(own))])).toBe(own);
  });
});
