import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findModel, rewriteModel } from '../../systems/serving/model-field.js';

const parse = (body: Buffer): Record<string, unknown> => JSON.parse(body.toString()) as Record<string, unknown>;

/** JSON objects in which the word `model` turns up wherever it can, printed with and without white space. */
const bodies = fc
  .record({
    fields: fc.dictionary(
      fc.oneof(fc.constantFrom('model', 'prompt', '"model"', 'mod\\el'), fc.string()),
      fc.oneof(
        fc.jsonValue(),
        fc.constantFrom('say "model": "x"', '\\', '"', '"model"', { model: 'inner' }, [{ model: 'inner' }], 'model'),
        fc.string(),
      ),
    ),
    indent: fc.constantFrom(undefined, 2, '\t'),
  })
  .map(({ fields, indent }) => Buffer.from(JSON.stringify(fields, null, indent)));

describe('the model field', () => {
  test('is found as a parser finds it', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const { model } = parse(body);
        expect(findModel(body)?.name).toBe(typeof model === 'string' ? model : undefined);
      }),
      { numRuns: 500 },
    );
  });

  test('can be replaced, and everything else stays as it was', () => {
    fc.assert(
      fc.property(bodies, fc.string({ minLength: 1 }), (body, name) => {
        const before = parse(body);
        const after = parse(rewriteModel(body, { kind: 'replace', name }));
        expect(after).toEqual(typeof before['model'] === 'string' ? { ...before, model: name } : before);
      }),
      { numRuns: 500 },
    );
  });

  test('can be taken out, and everything else stays as it was', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const { model, ...others } = parse(body);
        const after = parse(rewriteModel(body, { kind: 'remove' }));
        expect(after).toEqual(typeof model === 'string' || model === undefined ? others : { ...others, model });
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    '',
    '{',
    '{"model"',
    '{"model":',
    '{"model":"x',
    '["model","x"]',
    '"model"',
    '{"a":"model" "model":"x"}',
    'model',
  ])('is not found in %j, which is left alone', (text) => {
    const body = Buffer.from(text);
    if (text !== '{"a":"model" "model":"x"}') expect(findModel(body)).toBeUndefined();
    expect(() => rewriteModel(body, { kind: 'remove' })).not.toThrow();
  });

  test('keeps numbers that a parser would round', () => {
    const body = Buffer.from('{"seed":12345678901234567890,"model":"bot"}');
    expect(rewriteModel(body, { kind: 'remove' }).toString()).toBe('{"seed":12345678901234567890}');
  });
});
