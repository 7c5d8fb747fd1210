import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import type { RunState } from '../../workflows/dag-run/run-state.js';
import { externalStorage } from '../../workers/external-storage.js';
import { until } from '../fixtures/until.js';
import { openBench, openBucket, recordOf, resultOf, type Bench } from './engine-fixture.js';

const count = task({
  name: 'count',
  version: '1',
  input: z.object({ from: z.number() }),
  output: z.object({ to: z.number() }),
  run: ({ from }) => ({ to: from + 1 }),
});

const chain = (name: string, length: number) =>
  dag({ name, params: z.object({}) }, ({ step }) => {
    let last = step(count, { from: 0 }, { id: 'step-0' });
    for (let index = 1; index < length; index++) last = step(count, { from: last.to }, { id: `step-${index}` });
    return last;
  });

const sum = task({
  name: 'sum',
  version: '1',
  input: z.object({ parts: z.array(z.number()) }),
  output: z.object({ total: z.number() }),
  run: ({ parts }) => ({ total: parts.reduce((left, right) => left + right, 0) }),
});

const rowsOf = (column: number): number => (column < 449 ? 2 : 1);
const columns = Array.from({ length: 550 }, (_, column) => column);

/** A thousand steps: more side by side than may be in flight at once, some in two rows, and one that joins them. */
const broad = dag({ name: 'broad', params: z.object({}) }, ({ step }) => {
  const parts = columns.map((column) => {
    let last = step(count, { from: column }, { id: `c${column}-0` });
    for (let row = 1; row < rowsOf(column); row++) last = step(count, { from: last.to }, { id: `c${column}-${row}` });
    return last.to;
  });
  return step(sum, { parts });
});

const produce = task({
  name: 'produce',
  version: '1',
  input: z.object({ sizeBytes: z.number() }),
  output: z.object({ text: z.string() }),
  run: ({ sizeBytes }) => ({ text: 'x'.repeat(sizeBytes) }),
});

const measureText = task({
  name: 'measure-text',
  version: '1',
  input: z.object({ text: z.string() }),
  output: z.object({ length: z.number() }),
  run: ({ text }) => ({ length: text.length }),
});

const heavy = dag({ name: 'heavy', params: z.object({ sizeBytes: z.number() }) }, ({ params, step }) => {
  const produced = step(produce, { sizeBytes: params.sizeBytes });
  const measured = step(measureText, { text: produced.text });
  return { length: measured.length, text: produced.text };
});

let letGo = (): void => undefined;
const wanted = new Promise<void>((resolve) => (letGo = resolve));
const wait = task({
  name: 'wait',
  version: '1',
  input: z.object({ place: z.number() }),
  output: z.object({ place: z.number() }),
  run: async (input) => {
    await wanted;
    return input;
  },
});
const patient = dag({ name: 'patient', params: z.object({}) }, ({ step }) => {
  for (let place = 0; place < 300; place++) step(wait, { place }, { id: `wait-${place}` });
  return {};
});

let bench: Bench;
beforeAll(async () => {
  const objects = await openBucket();
  bench = await openBench([chain('forty', 40), broad, heavy, patient], {
    objects,
    externalStorage: externalStorage(objects),
  });
});
afterAll(() => bench.close());

describe('a large run', () => {
  it('that waits in hundreds of places leaves others their place', async () => {
    const waiting = await bench.start('patient');
    await until('all of it waits', async () => {
      const { steps } = await waiting.query<RunState>('state');
      return steps.every(({ status }) => status === 'running');
    });
    expect((await resultOf(await bench.start('forty'))).output).toEqual({ to: 40 });
    expect((await waiting.describe()).status.name).toBe('RUNNING');
    letGo();
    expect((await resultOf(waiting)).outcome).toBe('succeeded');
  });

  it('walks forty steps in sequence', async () => {
    await resultOf(await bench.start('forty'));
    const startedAtMs = performance.now();
    expect((await resultOf(await bench.start('forty'))).output).toEqual({ to: 40 });
    console.log(`40 steps in sequence: ${Math.round(performance.now() - startedAtMs)} ms`);
  });

  it('of a thousand steps stays far below the limits of a history', { timeout: 120_000 }, async () => {
    const run = await bench.start('broad');
    const total = columns.reduce((left, column) => left + column + rowsOf(column), 0);
    expect((await resultOf(run)).output).toEqual({ total });
    const { historyLength, historySize } = await run.describe();
    expect(historyLength).toBeLessThan(10_000);
    expect(historySize).toBeLessThan(10_000_000);
    const record = await recordOf(bench, run);
    expect(Object.keys(record.steps)).toHaveLength(1_000);
    expect(Object.values(record.steps).every((step) => step.status === 'success')).toBe(true);
    // Answered by a replay of the whole history.
    expect((await run.query<RunState>('state')).steps).toHaveLength(1_000);
  });

  it('carries an output of 5 MB through the object store, and keeps the run record small', async () => {
    const run = await bench.start('heavy', { sizeBytes: 5_000_000 });
    const { output } = (await resultOf(run)) as { output: { length: number; text: string } };
    expect(output.length).toBe(5_000_000);
    expect(output.text).toHaveLength(5_000_000);
    expect((await run.describe()).historySize).toBeLessThan(200_000);
    const record = await recordOf(bench, run);
    expect(record.steps.produce?.output).toEqual({ sizeBytes: 5_000_011 });
    const keys: string[] = [];
    for await (const { key } of bench.objects.list('v0/')) keys.push(key);
    expect(keys.length).toBeGreaterThan(0);
    const stored = await buffer((await bench.objects.get(keys[0] ?? '')).body);
    expect(stored.length).toBeGreaterThan(256 * 1024);
  });
});
