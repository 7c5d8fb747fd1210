// What every run takes beside its DAG's own parameters, in the same JSON object.

import { z } from 'zod';

import { jsonSchemaOf } from './contract.js';
import { SystemError } from './failures.js';
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
 * Throws `InvalidInput` with every problem of either.
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
  const declared = declaredKeys(jsonSchemaOf(schema, 'input', what));
  const entries = Object.entries(given);
  const own = Object.fromEntries(entries.filter(([key]) => !optionNames.includes(key) || declared.has(key)));
  const params = schema.safeParse(own);
  // An option that the parameters declare with another meaning is theirs: what does not fit here is no problem.
  const options = runOptions.safeParse(
    Object.fromEntries(
      entries.filter(([key, value]) => optionNames.includes(key) && (!declared.has(key) || fits(key, value))),
    ),
  );
  if (params.success && options.success) return { params: params.data, options: options.data };
  throw refusal(what, [
    ...(params.success ? [] : problemsOf(params.error.issues, own)),
    ...(options.success ? [] : problemsOf(options.error.issues, given)),
  ]);
}

const fits = (key: string, value: unknown): boolean => runOptions.safeParse({ [key]: value }).success;

function refusal(what: string, problems: readonly Problem[]): SystemError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const list = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new SystemError('InvalidInput', `${what}: ${count}: ${list}`, { details: { problems } });
}

/** The names of an object schema's properties, through unions and intersections. */
function declaredKeys(schema: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const keys = new Set(Object.keys((schema.properties as object | undefined) ?? {}));
  for (const combination of ['anyOf', 'oneOf', 'allOf'] as const)
    for (const part of (schema[combination] as Record<string, unknown>[] | undefined) ?? [])
      for (const key of declaredKeys(part)) keys.add(key);
  return keys;
}
