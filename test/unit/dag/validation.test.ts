import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { SystemError } from '../../../dag/failures.js';
import { parseWith } from '../../../dag/validation.js';

const schema = z.strictObject({
  model: z.string().min(1),
  stopAfter: z.enum(['gate', 'register']).optional(),
  rows: z.number().int().min(1).default(5),
  rollout: z.object({ weights: z.array(z.number()) }).optional(),
  source: z.union([z.string(), z.object({ uri: z.string() })]).optional(),
  kind: z
    .discriminatedUnion('type', [z.object({ type: z.literal('a'), n: z.number() }), z.object({ type: z.literal('b') })])
    .optional(),
  tags: z.record(z.string(), z.number()).optional(),
});

const messageFor = (value: unknown): string => {
  try {
    parseWith(schema, value, 'model-lifecycle');
  } catch (error) {
    if (error instanceof SystemError && error.type === 'InvalidInput') return error.message;
  }
  return 'nothing was thrown';
};

describe('parseWith', () => {
  test('gives the value with its defaults', () => {
    expect(parseWith(schema, { model: 'm' }, 'x')).toEqual({ model: 'm', rows: 5 });
  });

  test('lists every problem with its path in one message', () => {
    expect(messageFor({ stopAfter: 'gat', rows: 1.5, rollout: { weights: [1, '2', null] }, color: 'red' })).toBe(
      'model-lifecycle: 6 problems: model: required; stopAfter: must be one of "gate", "register", not "gat"; ' +
        'rows: must be a whole number, not 1.5; rollout.weights[1]: must be a number, not a string; ' +
        'rollout.weights[2]: must be a number, not null; ' +
        'color: is not known here; known are model, stopAfter, rows, rollout, source, kind, tags',
    );
  });

  test.each<[string, unknown, string]>([
    ['no value at all', undefined, '1 problem: required'],
    ['a list for an object', [], '1 problem: must be an object, not a list'],
    ['a text for an object', 'm', '1 problem: must be an object, not a string'],
    ['too short a text', { model: '' }, '1 problem: model: too small: expected string to have >=1 characters'],
    [
      'neither of a union',
      { model: 'm', source: 5 },
      '1 problem: source: must be a string, not a number, or must be an object, not a number',
    ],
    ['nearly one of a union', { model: 'm', source: { url: 'x' } }, '1 problem: source.uri: required'],
    ['no branch of a discriminated union', { model: 'm', kind: { type: 'c' } }, '1 problem: kind.type: '],
    ['a field of a branch', { model: 'm', kind: { type: 'a' } }, '1 problem: kind.n: required'],
    ['a value in a record', { model: 'm', tags: { a: 'x' } }, '1 problem: tags.a: must be a number, not a string'],
  ])('says it of %s', (_, value, message) => {
    expect(messageFor(value)).toContain(`model-lifecycle: ${message}`);
  });

  test('says which setting was meant, wherever it stands', () => {
    const rule = z.strictObject({ kind: z.literal('max'), bound: z.number() });
    const other = z.strictObject({ kind: z.literal('min'), bounds: z.number() });
    const nested = z.strictObject({
      train: z.strictObject({ rank: z.number(), steps: z.number().optional() }),
      rules: z.array(z.discriminatedUnion('kind', [rule, other])),
    });
    const given = { train: { rank: 1, stpes: 2, colour: 3 }, rules: [{ kind: 'max', bound: 1, bounnd: 2 }] };
    expect(() => parseWith(nested, given, 'model m')).toThrow(
      'model m: 3 problems: train.stpes: is not known here: did you mean steps?; ' +
        'train.colour: is not known here; known are rank, steps; ' +
        'rules[0].bounnd: is not known here: did you mean bound?',
    );
  });

  test('keeps the problems as data', () => {
    try {
      parseWith(schema, {}, 'x');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        type: 'InvalidInput',
        retryable: false,
        details: { problems: [{ path: 'model', message: 'required' }] },
      });
    }
  });
});
