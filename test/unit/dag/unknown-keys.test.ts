// Every kind of schema that can stand in a file or a run's parameters: which keys it knows, and that it lets those pass that it takes.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { givenAs, unknownKeys } from '../../../dag/unknown-keys.js';

const unknownIn = (schema: z.ZodType, value: unknown): string[] =>
  unknownKeys(givenAs(schema), value).map(({ path, known }) => `${path.join('.')} (${known.join(' ')})`);

const inner = z.object({ rank: z.number() });
interface Tree {
  readonly name: string;
  readonly below?: readonly Tree[] | undefined;
}
const tree: z.ZodType<Tree> = z.object({
  name: z.string(),
  get below() {
    return z.array(tree).optional();
  },
});

test.each<[string, z.ZodType, unknown, string[]]>([
  ['an object', z.object({ a: inner }), { a: { rank: 1, rnak: 2 }, b: 1 }, ['a.rnak (rank)', 'b (a)']],
  ['an object without keys', z.object({ a: z.object({}) }), { a: { b: 1 } }, ['a.b ()']],
  ['a list', z.array(inner), [{ rank: 1 }, { rnak: 1 }], ['1.rnak (rank)']],
  ['a tuple', z.tuple([z.string(), inner]), ['a', { rnak: 1 }], ['1.rnak (rank)']],
  ['a record', z.record(z.string(), inner), { any: { rnak: 1 } }, ['any.rnak (rank)']],
  ['keys of a kind', z.object({ a: z.string() }).catchall(inner), { a: '', b: { rnak: 1 } }, ['b.rnak (rank)']],
  ['what may be left out', z.object({ a: inner.nullable().optional() }), { a: { rnak: 1 } }, ['a.rnak (rank)']],
  ['what has a default', z.object({ a: inner.prefault({ rank: 1 }) }), { a: { rnak: 1 } }, ['a.rnak (rank)']],
  ['both of two', inner.and(z.object({ alpha: z.number() })), { rank: 1, alpha: 1, b: 1 }, ['b (rank alpha)']],
  ['either of two', z.union([inner, z.object({ alpha: z.number() })]), { rank: 1, b: 1 }, ['b (rank alpha)']],
  ['a text or an object', z.union([z.string(), inner]), { rnak: 1 }, ['rnak (rank)']],
  [
    'one of several kinds',
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), by: z.number() }),
      z.object({ kind: z.literal('b'), max: z.number() }),
    ]),
    { kind: 'b', max: 1, by: 1 },
    ['by (kind max)'],
  ],
  ['what holds itself', tree, { name: 'a', below: [{ name: 'b', blow: [] }] }, ['below.0.blow (name below)']],
])('%s refuses what it does not name', (_, schema, value, unknown) =>
  expect(unknownIn(schema, value)).toEqual(unknown),
);

test.each<[string, z.ZodType, unknown]>([
  ['a loose object', z.looseObject({ a: z.string() }), { b: { c: 1 } }],
  ['one of any keys among two', z.union([z.object({ a: z.string() }), z.looseObject({})]), { b: { c: 1 } }],
  ['a record of anything', z.record(z.string(), z.unknown()), { a: { b: { c: 1 } } }],
  ['a record of keys of one form', z.looseRecord(z.string().regex(/^x-/), z.number()), { 'x-a': 1, b: { c: 1 } }],
  ['any JSON', z.json(), { a: [{ b: { c: 1 } }] }],
  ['anything', z.object({ a: z.unknown() }), { a: { b: 1 } }],
  ['what is made of something else first', z.preprocess((value) => value, inner), { rnak: 1 }],
  ['and so below', z.object({ a: z.array(z.preprocess((value) => value, inner)) }), { a: [{ rnak: 1 }] }],
  ['what no object may be', z.string(), { a: 1 }],
  ['a list of what no list says', z.object({ a: z.string() }), { a: [{ b: 1 }] }],
])('%s lets everything pass', (_, schema, value) => expect(unknownIn(schema, value)).toEqual([]));
