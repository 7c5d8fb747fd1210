// model(): the file that a team writes for a model.

import { parseWith } from '../dag/validation.js';
import { evaluatedWhereTrained } from '../activities/schemas/job-places.js';
import { modelFile, type ModelFile, type ModelSettings } from '../activities/schemas/model-settings.js';

/** A model of its own kind, so that a folder of files can be searched for them. */
export interface Model {
  readonly kind: 'model';
  readonly name: string;
  readonly settings: ModelSettings;
}

/** Checks a model's file and fills in its defaults. Throws `InvalidInput` with every problem and its path. */
export function model(file: ModelFile): Model {
  const settings = parseWith(modelFile, evaluatedWhereTrained(file), `model ${String(file.name)}`);
  return Object.freeze({ kind: 'model', name: settings.name, settings });
}

export const isModel = (value: unknown): value is Model =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'model' && 'settings' in value;
