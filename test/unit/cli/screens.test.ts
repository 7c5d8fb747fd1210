// What terminals and logs are shown.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dryRunLines } from '../../../cli/dry-run-lines.js';
import { endLines } from '../../../cli/end-lines.js';
import { duration, size, whenTold } from '../../../cli/format.js';
import { describePause } from '../../../cli/pause-text.js';
import { changesBetween, drawRun, type RunView, type StepView } from '../../../cli/run-view.js';
import { settingsRows } from '../../../cli/settings-lines.js';
import { fit, printable, styleOf, widthOf, wrap } from '../../../cli/style.js';
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
  outcome: null,
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
        fc.option(fc.array(fc.string({ unit: 'grapheme-ascii' }), { maxLength: 4 }), { nil: undefined }),
        (rows, columns, header) => {
          const lines = table(rows, { columns, ...(header !== undefined && { header }) });
          for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });

  test('nothing is left out, however narrow the terminal', () => {
    const word = fc.string({ unit: 'grapheme-ascii', minLength: 1 }).filter((text) => /^\S+$/.test(text));
    const shown = (lines: readonly string[]): string => lines.join('').replaceAll(/\s/g, '');
    fc.assert(
      fc.property(
        fc.array(fc.array(word, { minLength: 1, maxLength: 4 })),
        fc.integer({ min: 1, max: 40 }),
        (rows, columns) => {
          const all = shown(table(rows, { columns }));
          for (const row of rows) expect(all).toContain(row[0]);
          expect(all.length).toBe(rows.flat().join('').length);
        },
      ),
    );
  });

  const words = fc.array(
    fc.string({ unit: 'grapheme-ascii' }).filter((word) => /^\S{1,12}$/.test(word)),
    { minLength: 1 },
  );
  test('a text that is wrapped loses no word, and is in no line wider than asked for', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 12, max: 30 }), (texts, columns) => {
        const lines = wrap(texts.join(' '), columns);
        expect(lines.join(' ').split(/\s+/)).toEqual(texts);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });

  test('a colour goes on in the next line, and a word that is too long is broken', () => {
    expect(wrap(coloured.red('one two'), 4)).toEqual(['\x1b[31mone\x1b[0m', '\x1b[31mtwo\x1b[0m']);
    expect(wrap('abcdefgh', 3)).toEqual(['abc', 'def', 'gh']);
    expect(wrap('', 3)).toEqual(['']);
  });

  const header = ['WHEN', 'WHO', 'WHY'];
  const reason = 'answers in French to who asks in English, says the desk';
  test('a last column that has room is wrapped within it', () => {
    expect(table([['noon', 'ann', reason]], { header, columns: 40 })).toEqual([
      'WHEN  WHO  WHY',
      'noon  ann  answers in French to who asks',
      '           in English, says the desk',
    ]);
  });

  test('what has no room beside the first columns stands below them, with its title', () => {
    const rows = [
      ['2026-11-08 14:32:05', 'ann@build-machine-7', reason],
      ['2026-11-08 14:32:06', 'bob', ''],
    ];
    expect(table(rows, { header, columns: 44 })).toEqual([
      'WHEN                 WHO',
      '2026-11-08 14:32:05  ann@build-machine-7',
      '    WHY answers in French to who asks in',
      '    English, says the desk',
      '2026-11-08 14:32:06  bob',
    ]);
    expect(
      table([['run-of-a-long-name', 'promoted', 'bot', '3 s']], {
        header: ['RUN', 'IS', 'MODEL', 'TOOK'],
        columns: 30,
      }),
    ).toEqual(['RUN                 IS', 'run-of-a-long-name  promoted', '    MODEL bot  TOOK 3 s']);
  });

  test('without titles a row that fits stays in one line', () => {
    const rows = [
      ['a-step-of-a-long-name', 'failed', 'the host is gone'],
      ['b', 'success', 'fine'],
    ];
    expect(table(rows, { columns: 40 })).toEqual([
      'a-step-of-a-long-name  failed',
      '    the host is gone',
      'b                      success  fine',
    ]);
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
  expect(whenTold(new Date(2026, 10, 8, 9, 5, 1), new Date(2026, 10, 8, 23))).toBe('09:05:01');
  expect(whenTold(new Date(2026, 10, 7, 9, 5, 1), new Date(2026, 10, 8, 1))).toBe('2026-11-07 09:05:01');
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

  test('says beside a step’s status what the step says itself, and all of a long reason', () => {
    const reason = 'it waits for a host with a free place, and there will be none for a while';
    const said = view([
      step('gate', { status: 'success', startedAt: at(0), endedAt: at(1), outcome: 'rejected' }),
      step('rollback', { status: 'success', startedAt: at(1), endedAt: at(1), outcome: 'unchanged' }),
      step('train', { status: 'running', startedAt: at(2), reason }),
    ]);
    expect(drawRun(said, { style: plain, now: new Date(start + 4_000), columns: 50 })).toEqual([
      'life/dev/1  running  4.0 s',
      '  ✓ gate      success · rejected   1.0 s',
      '  ✓ rollback  success · unchanged  0.0 s',
      '  ▸ train     running              2.0 s',
      '      it waits for a host with a free place, and',
      '      there will be none for a while',
    ]);
    // Too low a terminal for all of it: a line to each.
    expect(drawRun(said, { style: plain, now: new Date(start + 4_000), columns: 50, height: 4 })).toEqual([
      'life/dev/1  running  4.0 s',
      '  ✓ gate      success · rejected   1.0 s',
      '  ✓ rollback  success · unchanged  0.0 s',
      '  ▸ train     running              2.0 s  it wait…',
    ]);
  });

  test('shows all of what is said of its progress', () => {
    const progress = [{ summary: '12 of 300 requests at 10 %, and none of them failed so far' }];
    const lines = drawRun(view([], { progress }), { style: plain, now: new Date(start), columns: 40 });
    expect(lines.slice(1)).toEqual(['  12 of 300 requests at 10 %, and none', '  of them failed so far']);
  });

  test('with more steps than rows shows what runs and what failed, and sums the others up', () => {
    const many = view([
      ...Array.from({ length: 50 }, (_, index) => step(`s${index}`)),
      step('bad', { status: 'failed' }),
    ]);
    const lines = drawRun(many, { style: plain, now: new Date(start), columns: 80, height: 5 });
    expect(lines.slice(1).map((line) => line.trim().split(/\s+/)[1])).toEqual(['s0', 's1', 'bad', 'and']);
    expect(lines.at(-1)).toBe('  … and 48 more steps (50 waiting, 1 failed)');
  });

  test('in a log is a line for every change, and none for what stays', () => {
    const now = new Date(start + 60_000);
    const texts = (before: RunView | undefined, after: RunView): string[] =>
      changesBetween(before, after, now).map(({ text }) => text);
    expect(texts(undefined, running)).toEqual([
      'first success (2.0 s)',
      'second running (attempt 3, waits for a host)',
    ]);
    expect(texts(running, running)).toEqual([]);
    const later = view([
      ...running.steps.slice(0, 1),
      step('second', { status: 'failed', startedAt: at(2), endedAt: at(9), attempts: 3, reason: 'no\nhost' }),
      step('third', { status: 'upstream_failed' }),
    ]);
    expect(texts(running, { ...later, notes: ['a note'] })).toEqual([
      'second failed (7.0 s, attempt 3, no host)',
      'third upstream_failed',
      'a note',
    ]);
  });

  test('in a log has the time at which each thing happened, not that of the telling', () => {
    const now = new Date(start + 60_000);
    const ended = view(
      [
        step('late', { status: 'success', startedAt: at(3), endedAt: at(9), outcome: 'promoted' }),
        step('early', { status: 'success', startedAt: at(0), endedAt: at(2) }),
        step('never', { status: 'skipped' }),
      ],
      { outcome: 'promoted', endedAt: new Date(start + 10_000), notes: ['a note'] },
    );
    expect(changesBetween(undefined, ended, now)).toEqual([
      { at: new Date(at(2)), text: 'early success (2.0 s)' },
      { at: new Date(at(9)), text: 'late success · promoted (6.0 s)' },
      { at: new Date(at(10)), text: 'never skipped' },
      { at: new Date(at(10)), text: 'a note' },
    ]);
    // What is said of a step that has been under way for a while is said now.
    const retried = view([step('second', { status: 'running', startedAt: at(2), attempts: 4, reason: 'no host' })]);
    expect(changesBetween(running, retried, now)).toEqual([{ at: now, text: 'second running (attempt 4, no host)' }]);
  });
});

describe('the end of a run', () => {
  const told = (ended: Partial<Parameters<typeof endLines>[0]>, columns = 60) =>
    endLines({ dag: 'life', outcome: 'promoted', output: null, error: null, ...ended }, { style: plain, columns });

  test('is its outcome with what it gave back: whole sentences, and no empty values', () => {
    const verdict = 'Rejected: exactMatch is 0.71, and must be at least 0.8 on 500 samples.';
    const output = { outcome: 'rejected', version: null, verdict, rules: [{ value: 0.71 }] };
    expect(told({ outcome: 'rejected', output })).toEqual([
      'rejected',
      '  verdict         Rejected: exactMatch is 0.71, and must be',
      '                  at least 0.8 on 500 samples.',
      '  rules[0].value  0.71',
    ]);
    expect(told({ output: 3 })).toEqual(['promoted', '  output  3']);
    expect(told({})).toEqual(['promoted']);
  });

  test('of a rollout is a table of its weights, with why in whole sentences', () => {
    const explanation = 'error rate: 0.1 % (95 % interval 0.0 to 0.4 %), and the champion’s is 0.1 %: no worse.';
    const weight = (weightPercent: number) => ({
      weightPercent,
      verdict: 'pass',
      explanation,
      requests: 301,
      errors: 1,
    });
    expect(told({ output: { outcome: 'promoted', version: 2, weights: [weight(10), weight(100)] } }, 132)).toEqual([
      'promoted',
      '  version  2',
      '  WEIGHT  VERDICT  REQUESTS  ERRORS  WHY',
      `  10 %    pass     301       1       ${explanation}`,
      `  100 %   pass     301       1       ${explanation}`,
    ]);
    expect(told({ output: { outcome: 'unchanged', version: 2, weights: [] } })).toEqual([
      'promoted',
      '  outcome  unchanged',
      '  version  2',
    ]);
  });

  test('is the whole message where it failed', () => {
    const error = { type: 'StepFailed', message: 'run life/dev/1: step "gate" failed: the report is gone' };
    expect(told({ outcome: 'failed', error }, 40)).toEqual([
      'failed: run life/dev/1: step "gate"',
      'failed: the report is gone',
    ]);
  });

  test('is not longer than a person reads', () => {
    const output = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`field${index}`, index]));
    expect(told({ output }).slice(30)).toEqual(['  field29  29', '  … and 10 more values: --json shows all']);
  });
});

describe('a dry run', () => {
  const width = { style: plain, columns: 60 };
  const planned = (id: string, changes: object = {}) => ({
    ...{ id, task: id, version: '1', kind: 'activity', after: [], triggerRule: 'all_success' },
    ...changes,
  });

  test('is told as the steps that there would be, each with what it waits for', () => {
    const output = {
      params: { model: 'bot', force: false, settingsDigest: 'd'.repeat(64), settings: { train: {} } },
      steps: [
        planned('change'),
        planned('train', { kind: 'job', after: ['change'], when: 'steps.change.changed is true' }),
        planned('tidy', { task: 'rollback', after: ['train', 'change'], triggerRule: 'all_done' }),
      ],
    };
    expect(dryRunLines({ dag: 'life', output }, width)).toEqual([
      'Nothing was run. life would take 3 steps, with model bot, force false:',
      '  1  change                at once',
      '  2  train            job  after change · only if',
      '                           steps.change.changed is true',
      '  3  tidy (rollback)       after train, change · rule',
      '                           all_done',
      'pawl plan bot shows its settings, and what is served now.',
    ]);
  });

  test('of a task that looks itself is that task’s answer', () => {
    expect(dryRunLines({ dag: 'rollback', output: { outcome: 'stopped', reason: 'version 1 is served' } }, width)).toBe(
      undefined,
    );
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
    // As the runtime's log has it.
    const told = (err: unknown) => describeWorkerLine(line({ level: 40, component: 'temporal', err }), plain);
    expect(told(error)).toMatch(/warning said error=no host$/);
    const status = 'Status { code: NotFound, message: "no such query", details: b"x", metadata: MetadataMap {} }';
    expect(told(status)).toMatch(/warning said error=no such query$/);
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

test('a pause is told in one line, also of a rollout that paused itself', () => {
  const pause = {
    version: 2,
    weightPercent: 20,
    by: 'grace',
    since: '2026-11-08T14:32:05.000Z',
    reason: 'users complain',
  };
  expect(describePause(pause)).toMatch(/^paused at 20 % by grace since 2026-11-0\d \d\d:32:05: users complain$/);
  expect(describePause({ ...pause, by: null, since: null, reason: 'inconclusive' })).toBe(
    'paused at 20 % by itself: inconclusive',
  );
});
