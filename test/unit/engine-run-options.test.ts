import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRunInput } from '../../dag/run-options.js';
import { readyMadeDags, readyMadeTasks } from '../../pipelines/ready-made.js';

const readyMade = [
  ...readyMadeDags.map(({ name, params: schema }) => ({ name, schema: schema })),
  ...readyMadeTasks.map(({ name, alone }) => ({ name, schema: alone.params as z.ZodType })),
];

const params = z.strictObject({ model: z.string(), bound: z.number().default(1) });

describe('what a run is started with', () => {
  it('is divided into parameters, with their defaults, and options', () => {
    expect(parseRunInput(params, { model: 'm', dryRun: true, by: 'ada' }, 'nightly')).toEqual({
      params: { model: 'm', bound: 1 },
      options: { dryRun: true, by: 'ada' },
    });
  });

  it('gives an option that is a parameter too to both', () => {
    const own = params.extend({ reason: z.string() });
    expect(parseRunInput(own, { model: 'm', reason: 'why' }, 'rollback')).toEqual({
      params: { model: 'm', bound: 1, reason: 'why' },
      options: { reason: 'why' },
    });
  });

  it('gives it to both also where a function makes something else of the parameters first', () => {
    const own = z.preprocess((value) => value, z.object({ model: z.string(), dryRun: z.boolean().default(false) }));
    expect(parseRunInput(own, { model: 'm', dryRun: true }, 'planner')).toEqual({
      params: { model: 'm', dryRun: true },
      options: { dryRun: true },
    });
  });

  it('leaves a parameter alone that has an option’s name and means something else', () => {
    const own = z.object({ reason: z.object({ code: z.number() }) });
    expect(parseRunInput(own, { reason: { code: 7 } }, 'odd')).toEqual({
      params: { reason: { code: 7 } },
      options: {},
    });
  });

  it('finds a parameter in each branch of a union', () => {
    const own = z.union([
      z.strictObject({ model: z.string() }),
      z.strictObject({ by: z.string(), reason: z.string() }),
    ]);
    expect(parseRunInput(own, { by: 'ada', reason: 'why' }, 'either').params).toEqual({ by: 'ada', reason: 'why' });
  });

  describe('a name that is neither', () => {
    const plain = z.object({ model: z.string() });

    it.each([
      ['stopafter', 'stopAfter'],
      ['dryrun', 'dryRun'],
      ['dry-run', 'dryRun'],
      ['raeson', 'reason'],
      ['Model', 'model'],
    ])('is refused, though the schema would drop it: %s', (name, meant) => {
      const input = { model: 'm', [name]: 'x' };
      expect(() => parseRunInput(plain, input, 'nightly')).toThrow(
        `${name}: is not known here: did you mean ${meant}?`,
      );
    });

    it('is refused by a union and an intersection of objects', () => {
      const either = z.union([plain, z.object({ version: z.string() })]);
      const both = plain.and(z.object({ version: z.string() }));
      for (const schema of [either, both]) {
        const input = { model: 'm', version: '1', dryrun: true };
        expect(() => parseRunInput(schema, input, 'nightly')).toThrow('dryrun: is not known here');
      }
    });

    it.each([
      ['any keys', z.looseObject({ model: z.string() })],
      ['keys of a kind', z.object({ model: z.string() }).catchall(z.string())],
      ['a record', z.record(z.string(), z.string())],
      ['one branch of any keys', z.union([z.object({ model: z.number() }), z.looseObject({})])],
    ])('is a parameter where the schema takes %s', (_, schema) => {
      const input = { model: 'm', tenant: 'acme' };
      expect(parseRunInput(schema, input, 'nightly').params).toEqual(input);
    });

    const deep = z.object({
      train: z.object({ steps: z.number(), tags: z.record(z.string(), z.string()).optional() }),
    });

    it('is refused deeper down too, in a plain object and in a strict one', () => {
      const strict = z.object({ train: z.strictObject({ steps: z.number() }) });
      for (const schema of [deep, strict])
        expect(() => parseRunInput(schema, { train: { steps: 1, setps: 2 } }, 'nightly')).toThrow(
          'nightly: 1 problem: train.setps: is not known here: did you mean steps?',
        );
    });

    it('is a parameter deeper down where a record takes it', () => {
      const input = { train: { steps: 1, tags: { team: 'a' } } };
      expect(parseRunInput(deep, input, 'nightly').params).toEqual(input);
    });

    it('is dropped deeper down where an earlier step gave it, and refused at the top even so', () => {
      const input = { train: { steps: 1, seconds: 2 } };
      expect(parseRunInput(deep, input, 'nightly', { ofStep: true }).params).toEqual({ train: { steps: 1 } });
      expect(() => parseRunInput(deep, { ...input, tarin: 1 }, 'nightly', { ofStep: true })).toThrow(
        'nightly: 1 problem: tarin: is not known here: did you mean train?',
      );
    });

    it.each(readyMade)('is refused by the ready-made $name', ({ name, schema }) => {
      expect(() => parseRunInput(schema, { dryrun: true }, name)).toThrow(
        'dryrun: is not known here: did you mean dryRun?',
      );
    });
  });

  it.each([
    [
      { model: 1, dryRun: 'yes' },
      'nightly: 2 problems: model: must be a string, not a number; dryRun: must be a boolean, not a string',
    ],
    [{ modle: 'm' }, 'nightly: 2 problems: model: required; modle: is not known here: did you mean model?'],
    [
      { model: 'm', tenant: 1 },
      'nightly: 1 problem: tenant: is not known here; known are model, bound, stopAfter, dryRun, reason, by',
    ],
    [[], 'nightly: a run is started with one JSON object, such as {"reason":"…"}, not with []'],
    ['m', 'nightly: a run is started with one JSON object, such as {"reason":"…"}, not with "m"'],
    [undefined, 'nightly: 1 problem: model: required'],
  ])('is refused with every problem: %j', (input, message) => {
    expect(() => parseRunInput(params, input, 'nightly')).toThrow(message);
  });
});
