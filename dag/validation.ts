// Checks what comes from outside against a schema, and says everything that is wrong with it in one message.

import type { z } from 'zod';

import { SystemError } from './failures.js';
import { nearestName } from './nearest-name.js';
import { givenAs, unknownKeys, type UnknownKey } from './unknown-keys.js';

export interface Problem {
  /** `rollout.weights[2]`; empty for the value itself. */
  readonly path: string;
  /** `required`, `must be one of "a", "b"`, … */
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

/**
 * The value as the schema gives it. Throws `InvalidInput` with every problem and its path:
 * `model-lifecycle: 2 problems: model: required; stopAfter: must be one of "gate", "register"`.
 */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const known = new Map(
    unknownKeys(givenAs(schema), value)
      .map(unknownKey)
      .map((problem) => [problem.path, problem]),
  );
  const problems = problemsOf(parsed.error.issues, value).map((problem) =>
    problem.message === notKnown ? (known.get(problem.path) ?? problem) : problem,
  );
  throw refusal(what, problems);
}

export function refusal(what: string, problems: readonly Problem[]): SystemError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const list = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new SystemError('InvalidInput', `${what}: ${count}: ${list}`, { details: { problems } });
}

const notKnown = 'is not known here';

/** With the key that was meant, or all that there are. */
export function unknownKey({ path, known }: UnknownKey): Problem {
  const near = nearestName(String(path.at(-1)), known);
  const others = known.length === 0 ? '' : `; known are ${[...new Set(known)].join(', ')}`;
  return { path: pathText(path), message: `${notKnown}${near === undefined ? others : `: did you mean ${near}?`}` };
}

/** Zod's issues as problems: paths as people write them, unions by the branch that comes nearest. */
export const problemsOf = (issues: readonly Issue[], value: unknown): readonly Problem[] =>
  issues.flatMap((issue) => describe(issue, [], value));

function describe(issue: Issue, parent: readonly PropertyKey[], root: unknown): readonly Problem[] {
  const path = [...parent, ...issue.path];
  const at = (message: string): readonly Problem[] => [{ path: pathText(path), message }];
  const given = valueAt(root, path);
  switch (issue.code) {
    case 'invalid_type':
      return at(
        given === undefined
          ? 'required'
          : `must be ${withArticle(issue.expected)}, not ${isFraction(issue.expected, given) ? given : kindOf(given)}`,
      );
    case 'invalid_value':
      if (given === undefined) return at('required');
      return at(
        issue.values.length === 1
          ? `must be ${quote(issue.values[0])}`
          : `must be one of ${issue.values.map(quote).join(', ')}, not ${quote(given)}`,
      );
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: pathText([...path, key]), message: notKnown }));
    case 'invalid_union':
      return given === undefined ? at('required') : describeUnion(issue, path, root);
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.flatMap((inner) => describe(inner, path, root));
    default:
      return at(lowerFirst(issue.message));
  }
}

/** The branch with the fewest problems is the one that was meant; where all fail at the value itself, each is named. */
function describeUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: readonly PropertyKey[],
  root: unknown,
): readonly Problem[] {
  const branches = issue.errors.map((errors) => errors.flatMap((inner) => describe(inner, path, root)));
  const here = pathText(path);
  const deeper = branches.filter((branch) => branch.some((problem) => problem.path !== here));
  const nearest = deeper.sort((left, right) => left.length - right.length)[0];
  if (nearest !== undefined) return nearest;
  const messages = [...new Set(branches.flat().map((problem) => problem.message))];
  return [{ path: here, message: messages.length === 0 ? lowerFirst(issue.message) : messages.join(', or ') }];
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<PropertyKey, unknown>)[part]
        : undefined,
    root,
  );

/** `not 1.5` says more than `not a number`. */
const isFraction = (expected: string, given: unknown): given is number =>
  expected === 'int' && typeof given === 'number' && Number.isFinite(given);

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && Number.isNaN(value)) return 'NaN';
  return withArticle(typeof value);
}

const kindNames: Readonly<Record<string, string>> = {
  array: 'a list',
  int: 'a whole number',
  null: 'null',
  nan: 'NaN',
};

const withArticle = (kind: string): string => kindNames[kind] ?? `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;

const quote = (value: unknown): string =>
  typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'undefined');

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
