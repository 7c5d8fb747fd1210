// The settings of a model for one run: its file, with what the run overrides laid over it.

import { z } from 'zod';
import type { ResolveContext } from '../dag/context.js';
import { digestOf } from '../dag/digest.js';
import { SystemError } from '../dag/failures.js';
import { parseWith } from '../dag/validation.js';
import { jobPlaces } from './schemas/job-places.js';
import { modelFile, type ModelSettings } from './schemas/model-settings.js';

type Plain = Readonly<Record<string, unknown>>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects are merged field by field; anything else, lists too, is replaced. */
const layOver = (base: unknown, over: unknown): unknown => {
  if (!isPlain(base) || !isPlain(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = key in base ? layOver(base[key], value) : value;
  return merged;
};

/** Throws `NotFound` with the known models, `InvalidInput` with every problem of the settings. */
export function modelSettings(
  model: string,
  { models }: Pick<ResolveContext, 'models'>,
  overrides: Plain = {},
): ModelSettings {
  const file = models.get(model);
  if (file === undefined) {
    const known = [...models.keys()].sort().join(', ');
    throw new SystemError(
      'NotFound',
      `There is no model named '${model}': the worker knows ${known === '' ? 'none; give it a models/ folder' : known}.`,
    );
  }
  if ('name' in overrides) throw new SystemError('InvalidInput', "overrides: a run cannot change the model's name.");
  return parseWith(modelFile, layOver(file, overrides), `model ${model}`);
}

/** Where a job runs and how long it may take changes nothing in what comes of it. */
const withoutPlaces = (settings: ModelSettings['train'] | ModelSettings['evaluate']): Plain =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => name === 'environment' || !(name in jobPlaces)));

/** What decides how a model turns out and how it is served: the same data under the same digest give nothing new. */
export const settingsDigest = ({ data, train, evaluate, serve }: ModelSettings): string =>
  digestOf({ data, train: withoutPlaces(train), evaluate: withoutPlaces(evaluate), serve });

export const overrides = z.record(z.string(), z.unknown());
