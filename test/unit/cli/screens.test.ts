// What terminals and logs are shown.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { duration, size } from '../../../cli/format.js';
import { changesBetween, drawRun, type RunView, type StepView } from '../../../cli/run-view.js';
import { settingsRows } from '../../../cli/settings-lines.js';
import { fit, printable, styleOf, widthOf } from '../../../cli/style.js';
import { table } from '../../../cli/table.js';
import { describeWorkerLine } from '../../../cli/worker-line.js';

const plain = styleOf(false);
const coloured = styleOf(true);
const start = Date.UTC(2026, 10, 8, 12);
const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString();

const step = (id: string, changes: Partial<StepView> = {}): StepView => ({
  id,
  status: 'waiting',
  startedAt: null,
  endedAt: null,
  attempts: null,
  reason: null,
  ...changes,
});
const view = (steps: StepView[], changes: Partial<RunView> = {}): RunView => ({
  workflowId: 'life/dev/1',
  runId: 'r1',
  firstRunId: 'r1',
  dag: 'life',
  model: null,
  outcome: 'running',
  startedAt: new Date(start),
  endedAt: null,
  steps,
  notes: [],
  progress: [],
  ...changes,
});

describe('columns', () => {
  test('are as wide as their widest cell, colours not counted', () => {
    expect(
      table(
        [
          [coloured.green('a'), 'b'],
          ['long', 'c'],
        ],
        { header: ['X', 'Y'] },
      ).map((line) => line.replaceAll(/\x1b\[\d+m/g, '')),
    ).toEqual(['X     Y', 'a     b', 'long  c']);
  });

  test('no line is wider than the terminal, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ unit: 'grapheme-ascii' }), { maxLength: 4 })),
        fc.integer({ min: 1, max: 40 }),
        (rows, columns) => {
          for (const line of table(rows, { columns })) expect(widthOf(line)).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });

  test('a colour that was begun is ended where the text is cut', () => {
    expect(fit(coloured.red('abcdef'), 4)).toBe('\x1b[31mabc…\x1b[0m');
    expect(fit('abcd', 4)).toBe('abcd');
  });
});

test('what a terminal would take for a command does not reach it', () => {
  expect(printable('a\x1b[2J\x07b\nc\u009bd')).toBe('a [2J b c d');
});

test('times and sizes read as people say them', () => {
  expect([400, 12_400, 185_000, 7_800_000, 273_600_000].map(duration)).toEqual([
    '0.4 s',
    '12 s',
    '3 m 05 s',
    '2 h 10 m',
    '3 d 4 h',
  ]);
  expect([0, 1023, 1024, 1536, 16 * 1024 ** 3, 512 * 1024 ** 2].map(size)).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '16 GiB',
    '512 MiB',
  ]);
});

describe('a run', () => {
  const running = view([
    step('first', { status: 'success', startedAt: at(0), endedAt: at(2), attempts: 1 }),
    step('second', { status: 'running', startedAt: at(2), attempts: 3, reason: 'waits for a host' }),
    step('third'),
  ]);

  test('is drawn with the time of every step, and attempts beyond the first', () => {
    expect(drawRun(running, { style: plain, now: new Date(start + 10_000), columns: 80 })).toEqual([
      'life/dev/1  running  10 s',
      '  ✓ first   success  2.0 s',
      '  ▸ second  running  8.0 s  attempt 3 · waits for a host',
      '  · third   waiting',
    ]);
  });

  test('with more steps than rows shows what runs and what failed, and sums the others up', () => {
    const many = view([
      ...Array.from({ length: 50 }, (_, index) => step(`s${index}`)),
      step('bad', { status: 'failed' }),
    ]);
    const lines = drawRun(many, { style: plain, now: new Date(start), columns: 80, rows: 3 });
    expect(lines.slice(1).map((line) => line.trim().split(/\s+/)[1])).toEqual(['s0', 's1', 'bad', 'and']);
    expect(lines.at(-1)).toBe('  … and 48 more steps (50 waiting, 1 failed)');
  });

  test('in a log is a line for every change, and none for what stays', () => {
    expect(changesBetween(undefined, running)).toEqual([
      'first success (2.0 s)',
      'second running (attempt 3, waits for a host)',
    ]);
    expect(changesBetween(running, running)).toEqual([]);
    const later = view([
      ...running.steps.slice(0, 1),
      step('second', { status: 'failed', startedAt: at(2), endedAt: at(9), attempts: 3, reason: 'no\nhost' }),
      step('third', { status: 'upstream_failed' }),
    ]);
    expect(changesBetween(running, { ...later, notes: ['a note'] })).toEqual([
      'second failed (7.0 s, attempt 3, no host)',
      'third upstream_failed',
      'a note',
    ]);
  });
});

describe('a worker’s line', () => {
  const line = (fields: object): string => JSON.stringify({ level: 30, time: start, pid: 1, msg: 'said', ...fields });

  test('of a task is shown with its step and what it says', () => {
    expect(
      describeWorkerLine(line({ dag: 'life', step: 'train', attempt: 1, loss: 0.5, msg: 'step 3' }), plain),
    ).toMatch(/^\d\d:\d\d:\d\d {2}life\/train {2}step 3 loss=0\.5$/);
  });

  test('about the worker itself is shown only where something is wrong', () => {
    expect(describeWorkerLine(line({}), plain)).toBeUndefined();
    expect(describeWorkerLine(line({ component: 'temporal', step: 'x' }), plain)).toBeUndefined();
    expect(describeWorkerLine(line({ level: 40 }), plain)).toMatch(/warning said/);
    expect(describeWorkerLine(line({ level: 50 }), plain)).toMatch(/error said/);
  });

  test('of Temporal names the run and the error, and leaves the rest to the log', () => {
    const error = { type: 'Error', message: 'no host', stack: 'Error: no host' };
    const warning = line({
      level: 40,
      component: 'temporal',
      msg: 'Activity failed',
      workflowId: 'a/b/c',
      taskToken: 'x',
      error,
    });
    expect(describeWorkerLine(warning, plain)).toMatch(/warning Activity failed workflowId=a\/b\/c error=no host$/);
  });

  test('that is no log is what a task printed', () => {
    expect(describeWorkerLine('hello', plain)?.trim()).toBe('│ hello');
    expect(describeWorkerLine('{"level": "not a log"}', plain)?.trim()).toBe('│ {"level": "not a log"}');
    expect(describeWorkerLine('  ', plain)).toBeUndefined();
  });
});

test('settings are told by their path, long texts by their length', () => {
  expect(settingsRows({ a: { b: [1, 2], c: [] }, d: [{ e: 'x' }], f: 'line\nline', g: null, h: true, i: {} })).toEqual([
    ['a.b', '1, 2'],
    ['a.c', 'none'],
    ['d[0].e', 'x'],
    ['f', '2 lines'],
    ['g', 'none'],
    ['h', 'true'],
    ['i', 'none'],
  ]);
});
