// What every run takes beside its DAG's own parameters, in the same JSON object.

import { z } from 'zod';

import { jsonSchemaOf } from './contract.js';
import { SystemError } from './failures.js';
import { nearestName } from './nearest-name.js';
import type { Problem } from './validation.js';
import { problemsOf } from './validation.js';

export const runOptions = z.object({
  /** The step after which the run ends, `stopped`. */
  stopAfter: z.string().min(1).optional(),
  /** Answers what would run, and runs nothing. */
  dryRun: z.boolean().optional(),
  reason: z.string().min(1).optional(),
  /** Who asks for the run. */
  by: z.string().min(1).optional(),
});
export type RunOptions = z.infer<typeof runOptions>;

const optionNames: readonly string[] = Object.keys(runOptions.shape);

export interface RunInput<Params> {
  readonly params: Params;
  readonly options: RunOptions;
}

/**
 * Divides what a run is started with into parameters and options; an option that the parameters declare themselves is both.
 * Throws `InvalidInput` with every problem of either, names that are neither's included: `stopafter` would be a run to the end.
 */
export function parseRunInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  what: string,
): RunInput<z.output<Schema>> {
  const given = input ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    throw new SystemError(
      'InvalidInput',
      `${what}: a run is started with one JSON object, such as {"reason":"…"}, not with ${JSON.stringify(given).slice(0, 100)}`,
      { details: { problems: [{ path: '', message: 'must be one JSON object' }] } },
    );
  const declared = declaredBy(jsonSchemaOf(schema, 'input', what));
  const known = [...declared.keys, ...optionNames];
  const unknown = declared.open ? [] : Object.keys(given).filter((key) => !known.includes(key));
  const entries = Object.entries(given).filter(([key]) => !unknown.includes(key));
  const own = Object.fromEntries(entries.filter(([key]) => !optionNames.includes(key) || declared.keys.has(key)));
  const params = schema.safeParse(own);
  // An option that the parameters declare with another meaning is theirs: what does not fit here is no problem.
  const options = runOptions.safeParse(
    Object.fromEntries(
      entries.filter(([key, value]) => optionNames.includes(key) && (!declared.keys.has(key) || fits(key, value))),
    ),
  );
  if (params.success && options.success && unknown.length === 0) return { params: params.data, options: options.data };
  throw refusal(what, [
    ...(params.success ? [] : problemsOf(params.error.issues, own)),
    ...(options.success ? [] : problemsOf(options.error.issues, given)),
    ...unknown.map((key) => unknownKey(key, known)),
  ]);
}

const fits = (key: string, value: unknown): boolean => runOptions.safeParse({ [key]: value }).success;

function refusal(what: string, problems: readonly Problem[]): SystemError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const list = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new SystemError('InvalidInput', `${what}: ${count}: ${list}`, { details: { problems } });
}

function unknownKey(key: string, known: readonly string[]): Problem {
  const near = nearestName(key, known);
  const hint = near === undefined ? `; known are ${[...new Set(known)].join(', ')}` : `: did you mean ${near}?`;
  return { path: key, message: `is not known here${hint}` };
}

interface Declared {
  readonly keys: ReadonlySet<string>;
  /** Whether it takes other keys as well. */
  readonly open: boolean;
}

/** The properties that a JSON Schema declares, through unions and intersections. */
function declaredBy(schema: Readonly<Record<string, unknown>>): Declared {
  const { properties, additionalProperties, type } = schema;
  const parts = (['anyOf', 'oneOf', 'allOf'] as const).flatMap((combination) =>
    ((schema[combination] as Record<string, unknown>[] | undefined) ?? []).map(declaredBy),
  );
  // What says nothing of its properties (any value, a reference) takes all; what is no object takes none.
  const says = properties !== undefined || parts.length > 0 || (type !== undefined && type !== 'object');
  return {
    keys: new Set([
      ...Object.keys((properties as object | undefined) ?? {}),
      ...parts.flatMap(({ keys }) => [...keys]),
    ]),
    open: !says || (additionalProperties ?? false) !== false || parts.some(({ open }) => open),
  };
}
