import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRunInput } from '../../dag/run-options.js';

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

  it.each([
    [
      { model: 1, dryRun: 'yes' },
      'nightly: 2 problems: model: must be a string, not a number; dryRun: must be a boolean, not a string',
    ],
    [{ modle: 'm' }, 'nightly: 2 problems: model: required; modle: is not known here'],
    [[], 'nightly: a run is started with one JSON object, such as {"reason":"…"}, not with []'],
    ['m', 'nightly: a run is started with one JSON object, such as {"reason":"…"}, not with "m"'],
    [undefined, 'nightly: 1 problem: model: required'],
  ])('is refused with every problem: %j', (input, message) => {
    expect(() => parseRunInput(params, input, 'nightly')).toThrow(message);
  });
});
