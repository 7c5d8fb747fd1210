import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { canonicalJson, digestOf, sealGraph } from '../../../dag/digest.js';
import { graphOf, stepOf } from './graphs.js';
import { taskWith } from './tasks.js';

const shuffled = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shuffled)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, field]) => [key, shuffled(field)]),
        )
      : value;

describe('canonical JSON', () => {
  test('is JSON that reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
      }),
    );
  });

  test('leaves out what is undefined, and tells null from it', () => {
    expect(canonicalJson({ b: 1, a: undefined, c: [undefined, null] })).toBe('{"b":1,"c":[null,null]}');
    expect(digestOf({ a: null })).not.toBe(digestOf({}));
  });

  test('is the well-known SHA-256 underneath', () => {
    expect(digestOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});

test('the digest of a graph covers everything but itself', () => {
  const { digest, ...rest } = sealGraph(graphOf(stepOf('a')));
  expect(digestOf(rest)).toBe(digest);
});

describe('a contract', () => {
  const digestFor = (input: z.ZodObject, output = z.object({}), version = '1') =>
    taskWith('t', input, output, version).contract;
  test('is the same for the same schemas, and another for others', () => {
    const a = digestFor(z.object({ a: z.string() }));
    expect(digestFor(z.object({ a: z.string() }))).toEqual(a);
    expect(digestFor(z.object({ a: z.number() })).digest).not.toBe(a.digest);
    expect(digestFor(z.object({ a: z.string().optional() })).digest).not.toBe(a.digest);
    expect(digestFor(z.object({ a: z.string() }), z.object({ b: z.string() })).digest).not.toBe(a.digest);
    expect(digestFor(z.object({ a: z.string() }), z.object({}), '2').version).toBe('2');
  });
});
