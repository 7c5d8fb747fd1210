import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isTrue, not } from '../../dag/condition.js';
import { dag } from '../../dag/dag.js';
import { firstOf } from '../../dag/wiring.js';
import { SystemError } from '../../dag/failures.js';
import { task } from '../../dag/task.js';
import { failureOf, openBench, recordOf, resultOf, type Bench } from './engine-fixture.js';

const add = task({
  name: 'add',
  version: '1',
  input: z.object({ a: z.number(), b: z.number().default(1) }),
  output: z.object({ sum: z.number() }),
  run: ({ a, b }) => ({ sum: a + b }),
});

let flakyFails = new Map<string, number>();
const flaky = task({
  name: 'flaky',
  version: '1',
  input: z.object({ label: z.string(), failures: z.number() }),
  output: z.object({ attempt: z.number(), key: z.string() }),
  retry: { attempts: 3, firstDelay: '20ms' },
  run: ({ label, failures }, { step }) => {
    const failed = flakyFails.get(label) ?? 0;
    if (failed < failures) {
      flakyFails.set(label, failed + 1);
      throw new SystemError('Unavailable', `the ${label} lake is away`);
    }
    return { attempt: step.attempt, key: step.key };
  },
});

const linear = dag({ name: 'linear', params: z.object({ from: z.number() }) }, ({ params, step }) => {
  const one = step(add, { a: params.from }, { id: 'one' });
  const two = step(add, { a: one.sum, b: 10 }, { id: 'two' });
  return { total: two.sum };
});

const diamond = dag({ name: 'diamond', params: z.object({}) }, ({ step }) => {
  const top = step(add, { a: 1 }, { id: 'top' });
  const left = step(add, { a: top.sum, b: 10 }, { id: 'left' });
  const right = step(add, { a: top.sum, b: 100 }, { id: 'right' });
  const bottom = step(add, { a: left.sum, b: right.sum }, { id: 'bottom' });
  return { sum: bottom.sum };
});

const gateTask = task({
  name: 'judge',
  version: '1',
  input: z.object({ score: z.number() }),
  output: z.object({ passed: z.boolean() }),
  run: ({ score }) => ({ passed: score >= 0.5 }),
});

const branching = dag({ name: 'branching', params: z.object({ score: z.number() }) }, ({ params, step }) => {
  const gate = step(gateTask, { score: params.score });
  const good = step(add, { a: 1, b: 1 }, { id: 'good', when: isTrue(gate.passed) });
  const bad = step(add, { a: 2, b: 2 }, { id: 'bad', when: not(isTrue(gate.passed)) });
  const after = step(
    add,
    { a: firstOf(good.sum, bad.sum), b: 0 },
    { id: 'after', triggerRule: 'none_failed_min_one_success' },
  );
  return { outcome: 'judged', sum: after.sum };
});

const breaking = dag({ name: 'breaking', params: z.object({ failures: z.number() }) }, ({ params, step }) => {
  const first = step(flaky, { label: 'north', failures: params.failures });
  const second = step(add, { a: first.attempt }, { id: 'second' });
  return { attempt: first.attempt, key: first.key, sum: second.sum };
});

let bench: Bench;
beforeAll(async () => {
  bench = await openBench([linear, diamond, branching, breaking]);
});
afterAll(() => bench.close());

describe('a run of a DAG', () => {
  it('starts by the DAG’s name with one JSON object, and gives its output', async () => {
    const run = await bench.start('linear', { from: 5 });
    expect(await resultOf(run)).toEqual({
      outcome: 'succeeded',
      output: { total: 16 },
      steps: { one: 'success', two: 'success' },
    });
  });

  it('gives a step what several steps gave', async () => {
    expect((await resultOf(await bench.start('diamond'))).output).toEqual({ sum: 114 });
  });

  it('skips the branch whose condition does not hold, and takes its outcome from its output', async () => {
    const result = await resultOf(await bench.start('branching', { score: 0.2 }));
    expect(result).toEqual({
      outcome: 'judged',
      output: { outcome: 'judged', sum: 4 },
      steps: { judge: 'success', good: 'skipped', bad: 'success', after: 'success' },
    });
  });

  it('tries a step again, under the same key', async () => {
    flakyFails = new Map();
    const run = await bench.start('breaking', { failures: 2 });
    const { runId } = await run.describe();
    expect((await resultOf(run)).output).toEqual({ attempt: 3, key: `${runId}.flaky.0`, sum: 4 });
    expect((await recordOf(bench, run)).steps.flaky?.attempts).toBe(3);
  });

  it('fails with the step and its root cause once the attempts are used up', async () => {
    flakyFails = new Map();
    const run = await bench.start('breaking', { failures: 99 });
    const failure = await failureOf(run);
    expect(failure.message).toBe('step "flaky" failed: the north lake is away');
    expect(failure.type).toBe('StepFailed');
    expect(failure.details).toEqual([{ step: 'flaky', type: 'Unavailable', failedSteps: ['flaky'] }]);
    const record = await recordOf(bench, run);
    expect(record).toMatchObject({
      status: 'failed',
      outcome: 'failed',
      error: { step: 'flaky', type: 'Unavailable' },
      steps: { flaky: { status: 'failed' }, second: { status: 'upstream_failed' } },
    });
  });

  it('runs a task that is started by its own name', async () => {
    expect(await resultOf(await bench.start('add', { a: 1, b: 2 }))).toMatchObject({ output: { sum: 3 } });
  });
});
