// The JSON object that a run is started with, put together from the command line. Pure.

import { SystemError } from '../dag/failures.js';

const example = `such as '{"model":"support-bot"}' or --param model=support-bot`;

/** Whose value a setting or a parameter is, with an example. */
const options = { '--param': '--param model=support-bot', '--override': '--override train.recipe.rank=32' } as const;

/** Throws `InvalidInput`. A parameter's value is JSON where it reads as JSON, else text; a dotted name reaches into objects. */
export function runParams(
  json: string | undefined,
  params: readonly string[],
  option: keyof typeof options = '--param',
): Record<string, unknown> {
  const whole = json === undefined ? {} : parseObject(json);
  for (const param of params) {
    const at = param.indexOf('=');
    const name = param.slice(0, at);
    if (at < 1 || name.split('.').includes(''))
      throw new SystemError('InvalidInput', `${option} ${param} is not name=value, such as ${options[option]}.`);
    put(whole, name.split('.'), { value: valueOf(param.slice(at + 1)), written: `${option} ${param}` });
  }
  return whole;
}

function parseObject(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'InvalidInput',
      `${JSON.stringify(json)} is not JSON (${problem}): a run takes one object, ${example}.`,
      {
        cause,
      },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SystemError('InvalidInput', `A run takes one JSON object, ${example}, and not ${json}.`);
  return { ...value };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface Parameter {
  readonly value: unknown;
  /** As it was typed. */
  readonly written: string;
}

function put(
  into: Record<string, unknown>,
  [first = '', ...rest]: readonly string[],
  { value, written }: Parameter,
): void {
  if (rest.length === 0) {
    Object.defineProperty(into, first, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  const below = Object.hasOwn(into, first) ? into[first] : {};
  if (typeof below !== 'object' || below === null || Array.isArray(below))
    throw new SystemError('InvalidInput', `${written} reaches into ${first}, which is no object.`);
  const copy = { ...below };
  put(copy, rest, { value, written });
  Object.defineProperty(into, first, { value: copy, enumerable: true, configurable: true, writable: true });
}
