// How the command line is read, and what errors come to.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inForce, spanOf } from '../../../cli/day.js';
import { tell } from '../../../cli/exit-codes.js';
import { meantName } from '../../../cli/meant-name.js';
import { colourOutcome, exitCodeOf } from '../../../cli/outcome.js';
import { runParams } from '../../../cli/params.js';
import { newRunId } from '../../../cli/run-id.js';
import { styleOf } from '../../../cli/style.js';
import { SystemError } from '../../../dag/failures.js';

const cli = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

describe('parameters', () => {
  test('a value is JSON where it reads as JSON, and text otherwise', () => {
    expect(runParams(undefined, ['a=1', 'b=true', 'c=x=y', 'd=', 'e={"f":[1]}', 'g="1"'])).toEqual({
      a: 1,
      b: true,
      c: 'x=y',
      d: '',
      e: { f: [1] },
      g: '1',
    });
  });

  test('a dotted name reaches into the object that was given, and leaves the rest', () => {
    expect(runParams('{"overrides":{"train":{"a":1}}}', ['overrides.train.b=2', 'overrides.gate=[]'])).toEqual({
      overrides: { train: { a: 1, b: 2 }, gate: [] },
    });
  });

  test.each([
    ['{"a":', [], /is not JSON/],
    ['[1]', [], /one JSON object/],
    ['null', [], /one JSON object/],
    [undefined, ['a'], /--param a is not name=value/],
    [undefined, ['=1'], /is not name=value/],
    [undefined, ['a..b=1'], /is not name=value/],
    ['{"a":1}', ['a.b=1'], /a, which is no object/],
  ])('%j with %j is refused', (json, params, sentence) => {
    expect(() => runParams(json, params)).toThrow(sentence);
  });

  test('a setting that is no name=value is told by its own option', () => {
    expect(() => runParams(undefined, ['rank'], '--override')).toThrow(
      '--override rank is not name=value, such as --override train.recipe.rank=32.',
    );
  });

  test('a parameter named like a property of every object is a parameter', () => {
    const params = runParams(undefined, ['__proto__=1', 'constructor.name=x']);
    expect(Object.keys(params)).toEqual(['__proto__', 'constructor']);
    expect(({} as { name?: string }).name).toBeUndefined();
  });

  test('every JSON object comes through as it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(runParams(JSON.stringify(value), [])).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('dates', () => {
  test('a day is that day in UTC, with its leap day', () => {
    expect(spanOf('2028-02-29')).toEqual({ from: new Date('2028-02-29T00:00Z'), to: new Date('2028-03-01T00:00Z') });
  });

  test.each(['2026-02-30', '2026-13-01', 'yesterday', '', '12', '2026'])('%j is refused', (text) => {
    expect(() => spanOf(text)).toThrow(/is no date/);
  });

  test('what was live on a day is what stood at its start, and all that came within', () => {
    const at = (hour: number): Date => new Date(Date.UTC(2026, 10, 8, hour));
    const states = [-30, -2, 3, 20, 25].map((hour) => ({ hour, at: at(hour) }));
    const live = (text: string): number[] => inForce(states, (state) => state.at, spanOf(text)).map(({ hour }) => hour);
    expect(live('2026-11-08')).toEqual([-2, 3, 20]);
    expect(live('2026-11-08T05:00Z')).toEqual([3]);
    expect(live('2026-11-08T03:00Z')).toEqual([3]);
    expect(live('2026-11-01')).toEqual([]);
    expect(live('2027-01-01')).toEqual([25]);
  });
});

describe('errors', () => {
  test.each([
    ['InvalidInput', 2],
    ['NotFound', 2],
    ['Unavailable', 3],
    ['CredentialsExpired', 3],
    ['Conflict', 1],
    ['StepFailed', 1],
  ] as const)('%s ends with exit code %i', (type, code) => {
    expect(tell(new SystemError(type, 'so it is.'))).toEqual({ type, message: 'so it is.', exitCode: code });
  });

  test('a Temporal that went away names the doctor', () => {
    const grpc = Object.assign(new Error('14 UNAVAILABLE'), { code: 14, details: 'connection refused' });
    expect(tell(new Error('Failed to query', { cause: grpc }))).toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('pawl doctor'),
    });
  });

  test.each([
    ['region', new Error('Region is missing'), /No S3 is set up \(no region is set\): start "pawl dev"/],
    [
      'credentials',
      Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' }),
      /No S3 is set up \(there are no credentials\): start "pawl dev"/,
    ],
  ])('an S3 without %s is none that was set up', (_, cause, message) => {
    const told = { type: 'Unavailable', exitCode: 3, message: expect.stringMatching(message) as string };
    expect(tell(cause)).toEqual(told);
    expect(tell(new SystemError('InvalidInput', 'S3 could not list.', { cause }))).toEqual(told);
    expect(tell(new SystemError('PermissionDenied', 'S3 could not list.')).message).toBe('S3 could not list.');
  });

  test('an error whose details are empty is told by its message', () => {
    const native = Object.assign(new Error('no such thing'), { code: 3, details: '' });
    expect(tell(native).message).toMatch(/^no such thing /);
  });

  test('an error that nobody expected is one line, and says how to see more', () => {
    const { message, exitCode } = tell(new TypeError('x is not a function\n    at here'));
    expect(message).toMatch(/^x is not a function .*PAWL_DEBUG=1/);
    expect(exitCode).toBe(1);
  });

  test('a negative outcome is exit code 1, any other good', () => {
    const codes = (dag: string, outcomes: string[]) => outcomes.map((outcome) => exitCodeOf({ dag, outcome }));
    const good = ['promoted', 'unchanged', 'stopped', 'succeeded', 'approved', 'running'];
    expect(codes('model-lifecycle', good)).toEqual(good.map(() => 0));
    const bad = ['rejected', 'rolled-back', 'failed', 'cancelled', 'terminated', 'TIMED_OUT'];
    expect(codes('model-lifecycle', bad)).toEqual(bad.map(() => 1));
  });

  test('to roll back is what the DAG rollback is for, and an end of any other that was to bring something forward', () => {
    const ending = { dag: 'rollback', outcome: 'rolled-back' };
    expect(exitCodeOf(ending)).toBe(0);
    expect(colourOutcome(ending, styleOf(true))).toBe(styleOf(true).green('rolled-back'));
    expect(exitCodeOf({ dag: 'rollback', outcome: 'failed' })).toBe(1);
    expect(colourOutcome({ dag: 'model-lifecycle', outcome: 'rolled-back' }, styleOf(true))).toBe(
      styleOf(true).red('rolled-back'),
    );
  });
});

test('ids of runs sort by time', () => {
  const ids = [0, 1_000, 86_400_000].map((ms) => newRunId(new Date(Date.UTC(2026, 10, 8, 23, 59, 59) + ms)));
  expect([...ids].sort()).toEqual(ids);
  expect(ids[0]).toMatch(/^20261108-235959-[a-z2-9]{4}$/);
});

test.each([
  ['aply', ['list', 'apply'], 'did you mean apply?'],
  ['nothing', ['gate', 'evaluate'], 'there are evaluate, gate.'],
  ['nothing', ['gate', 'gate'], 'there is gate.'],
  ['nothing', [], 'there is none.'],
  ['nothing', Array.from({ length: 22 }, (_, index) => `s${index + 10}`), /^there are s10, .*, s29, and 2 more\.$/],
])('%s among %j: %s', (name, known, sentence) => {
  expect(meantName(name, known)).toEqual(sentence instanceof RegExp ? expect.stringMatching(sentence) : sentence);
});

describe('the program', () => {
  const pawl = (args: string[], before: string[] = []) =>
    spawnSync(process.execPath, ['--import', loader, ...before, cli, ...args], { encoding: 'utf8', timeout: 50_000 });

  test('help loads neither Temporal nor the AWS SDK nor a schema', () => {
    const hook = `import { writeSync } from 'node:fs';
export const load = (url, context, next) => { if (/node_modules.(@temporalio|@aws-sdk|zod)/.test(url)) writeSync(2, 'LOADED ' + url + '\\n'); return next(url, context); };`;
    const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`);
    const { stdout, stderr, status } = pawl(['run', '--help'], ['--import', register]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Examples:\n {2}pawl run/);
    expect(status).toBe(0);
  });

  test.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['run'], /missing required argument 'name'/],
    [['runs', '--limit', 'many'], /must be a whole number/],
    [['rollback', 'm'], /required option '--reason/],
    [['pormote', 'm'], /Did you mean promote/],
    [['schedules', 'aply'], /unknown command 'aply': did you mean apply\?/],
    [['schedules', 'frobnicate'], /there are apply, list, run\./],
    [['runs', '-C', 'no/such/folder'], /There is no folder \/.*no\/such\/folder: -C takes the folder of a project\./],
    [['-C', 'no/such/folder', 'runs'], /There is no folder \/.*no\/such\/folder/],
    [['run', 'life', '-o', 'rank'], /--override rank is not name=value/],
    [['runs', '-C', cli], /There is no folder .*main\.ts/],
  ])('%j is answered with what is wrong and exit code 2', (args, sentence) => {
    const { stdout, stderr, status } = pawl(args);
    expect(stderr).toMatch(sentence);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
