// Which keys of a value its schema does not name, however deep they lie: a plain `z.object()` drops them without a word. Pure.

import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface UnknownKey {
  readonly path: readonly (string | number)[];
  /** Those that the schema names in its place. */
  readonly known: readonly string[];
}

interface Declared {
  /** What is said of each key. */
  readonly keys: ReadonlyMap<string, readonly JsonSchema[]>;
  /** What is said of any other key; `undefined` where there may be none. */
  readonly others: readonly JsonSchema[] | undefined;
}

/** What a value is given as; nothing is said of what a function makes something else of first. */
export const givenAs = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type !== 'pipe' || def.in._zod.def.type !== 'transform') return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
    },
  });

/** `schema` is from `givenAs`. Records and loose objects take any key. */
export const unknownKeys = (schema: JsonSchema, value: unknown): readonly UnknownKey[] => [
  ...walk([schema], value, [], schema),
];

/** The keys that a schema names for an object, through unions, intersections and references, also behind a function. */
export function keysOf(schema: z.ZodType, value: object): ReadonlySet<string> {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return new Set(declaredBy([json], value, json)?.keys.keys());
}

function* walk(
  schemas: readonly JsonSchema[],
  value: unknown,
  path: readonly (string | number)[],
  root: JsonSchema,
): Generator<UnknownKey> {
  if (Array.isArray(value)) {
    const lists = schemas.flatMap((schema) => leavesOf(schema, root));
    for (const [index, item] of value.entries())
      yield* walk(
        lists.map((list) => itemOf(list, index)),
        item,
        [...path, index],
        root,
      );
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const declared = declaredBy(schemas, value, root);
  // That no object may stand here is for the schema itself to say.
  if (declared === undefined) return;
  for (const [key, field] of Object.entries(value)) {
    const said = declared.keys.get(key) ?? declared.others;
    if (said === undefined) yield { path: [...path, key], known: [...declared.keys.keys()] };
    else yield* walk(said, field, [...path, key], root);
  }
}

const anything: JsonSchema = {};

const itemOf = ({ prefixItems, items }: JsonSchema, index: number): JsonSchema =>
  (prefixItems as readonly JsonSchema[] | undefined)?.[index] ?? (items as JsonSchema | undefined) ?? anything;

/** `undefined` where none of the schemas takes an object. */
function declaredBy(schemas: readonly JsonSchema[], value: object, root: JsonSchema): Declared | undefined {
  const leaves = schemas
    .flatMap((schema) => leavesOf(schema, root))
    .filter(({ type }) => type === undefined || type === 'object');
  if (leaves.length === 0) return undefined;
  const meant = leaves.filter((leaf) => isMeant(leaf, value));
  const keys = new Map<string, readonly JsonSchema[]>();
  const others: JsonSchema[] = [];
  for (const leaf of meant.length === 0 ? leaves : meant) {
    const { properties, patternProperties, additionalProperties, type } = leaf;
    for (const [key, schema] of Object.entries((properties ?? {}) as Record<string, JsonSchema>))
      keys.set(key, [...(keys.get(key) ?? []), schema]);
    // A record that lets keys of other forms pass as they are.
    if (patternProperties !== undefined && additionalProperties === undefined) others.push(anything);
    // What says nothing at all takes everything.
    const rest = additionalProperties ?? (type === undefined && properties === undefined);
    if (rest !== false) others.push(rest === true ? anything : (rest as JsonSchema));
  }
  return { keys, others: others.length === 0 ? undefined : others };
}

/** A branch of a union whose `kind` is another one was not meant. */
const isMeant = ({ properties }: JsonSchema, value: object): boolean =>
  Object.entries((properties ?? {}) as Record<string, JsonSchema>).every(
    ([key, schema]) =>
      !('const' in schema) || !(key in value) || (value as Record<string, unknown>)[key] === schema['const'],
  );

/** What a schema is put together from. */
function leavesOf(schema: JsonSchema, root: JsonSchema): readonly JsonSchema[] {
  const { $ref } = schema;
  if (typeof $ref === 'string') return leavesOf(referredTo($ref, root), root);
  const parts = (['anyOf', 'oneOf', 'allOf'] as const).flatMap(
    (combination) => (schema[combination] as readonly JsonSchema[] | undefined) ?? [],
  );
  return parts.length === 0 ? [schema] : parts.flatMap((part) => leavesOf(part, root));
}

/** `#`, or `#/$defs/name`. */
const referredTo = (reference: string, root: JsonSchema): JsonSchema =>
  reference
    .split('/')
    .slice(1)
    .reduce((at, part) => (at[part] ?? anything) as JsonSchema, root);
