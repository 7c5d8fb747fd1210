// What every pipeline about a model takes, and what it becomes once the model's file has been read.

import { z } from 'zod';
import { modelSettings, overrides, settingsDigest } from '../activities/model-settings.js';
import type { ModelSettings } from '../activities/schemas/model-settings.js';
import type { ResolveContext } from '../dag/context.js';

export const modelParams = z.object({
  model: z.string().min(1),
  /** Laid over the model's file for this run alone: `{"train":{"recipe":{"rank":32}}}`. */
  overrides: overrides.default({}),
  /** Train although the champion has the same data and settings. */
  force: z.boolean().default(false),
});

export interface AboutModel {
  readonly model: string;
  readonly force: boolean;
  readonly settings: ModelSettings;
  readonly settingsDigest: string;
}

/** Spread into `dag()`: the references then see the model's settings, pinned with the run. */
export const aboutModel = {
  params: modelParams,
  resolve: (params: z.output<typeof modelParams>, context: ResolveContext): AboutModel => {
    const settings = modelSettings(params.model, context, params.overrides);
    return { model: params.model, force: params.force, settings, settingsDigest: settingsDigest(settings) };
  },
};
