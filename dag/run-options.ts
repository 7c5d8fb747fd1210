// What every run takes beside its DAG's own parameters, in the same JSON object.

import { z } from 'zod';

import { SystemError } from './failures.js';
import { givenAs, keysOf, unknownKeys, type JsonSchema, type UnknownKey } from './unknown-keys.js';
import { problemsOf, refusal, unknownKey } from './validation.js';

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

export interface RunInputOptions {
  /** The run is a step of another one, whose outputs may hold more than is asked for here: what lies deeper is not refused. */
  readonly ofStep?: boolean;
}

/**
 * Divides what a run is started with into parameters and options; an option that the parameters declare themselves is both.
 * Throws `InvalidInput` with every problem of either, names that are neither's included, however deep: `stopafter` would be a
 * run to the end.
 */
export function parseRunInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  what: string,
  { ofStep = false }: RunInputOptions = {},
): RunInput<z.output<Schema>> {
  const given = input ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    throw new SystemError(
      'InvalidInput',
      `${what}: a run is started with one JSON object, such as {"reason":"…"}, not with ${JSON.stringify(given).slice(0, 100)}`,
      { details: { problems: [{ path: '', message: 'must be one JSON object' }] } },
    );
  const json = givenAs(schema);
  const declared = keysOf(schema, given);
  const unknown = unknownIn(json, given).filter(({ path }) => path.length === 1 || !ofStep);
  const refused = new Set(unknown.flatMap(({ path }) => (path.length === 1 ? [path[0]] : [])));
  const entries = Object.entries(given).filter(([key]) => !refused.has(key));
  const own = Object.fromEntries(entries.filter(([key]) => !optionNames.includes(key) || declared.has(key)));
  const params = schema.safeParse(own);
  // An option that the parameters declare with another meaning is theirs: what does not fit here is no problem.
  const options = runOptions.safeParse(
    Object.fromEntries(
      entries.filter(([key, value]) => optionNames.includes(key) && (!declared.has(key) || fits(key, value))),
    ),
  );
  if (params.success && options.success && unknown.length === 0) return { params: params.data, options: options.data };
  const unknownProblems = unknown.map(unknownKey);
  const toldBelow = new Set(unknownProblems.map(({ path }) => path));
  throw refusal(what, [
    ...(params.success ? [] : problemsOf(params.error.issues, own).filter(({ path }) => !toldBelow.has(path))),
    ...(options.success ? [] : problemsOf(options.error.issues, given)),
    ...unknownProblems,
  ]);
}

/** Options are known beside what the schema names. */
const unknownIn = (json: JsonSchema, given: object): readonly UnknownKey[] =>
  unknownKeys(json, given).flatMap(({ path, known }) => {
    if (path.length > 1) return [{ path, known }];
    return optionNames.includes(String(path[0])) ? [] : [{ path, known: [...known, ...optionNames] }];
  });

const fits = (key: string, value: unknown): boolean => runOptions.safeParse({ [key]: value }).success;
