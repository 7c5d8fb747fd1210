// A model's file, resolved: every setting of its life, defaults filled in. Pinned with each run by `admit`.

import { z } from 'zod';
import { dataSettings } from './data-settings.js';
import { evaluateSettings } from './evaluate-settings.js';
import { gateSettings } from './gate-settings.js';
import { rolloutSettings, serveSettings } from './rollout-settings.js';
import { trainSettings } from './train-settings.js';

const cron = z
  .string()
  .regex(/^(@(hourly|daily|weekly|monthly|yearly)|\S+( \S+){4,6})$/, 'must be a cron expression such as "0 2 * * *"');

const timezone = z.string().refine((name) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}, 'must be a timezone such as "Europe/Berlin"');

const sections = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, - and _, at most 63'),
  owner: z.string().min(1),
  description: z.string().optional(),
  data: dataSettings,
  train: trainSettings,
  evaluate: evaluateSettings,
  gate: gateSettings,
  serve: serveSettings.extend({ probe: serveSettings.shape.probe.strict() }).strict(),
  rollout: rolloutSettings.prefault({}),
  schedule: z
    .strictObject({
      cron,
      timezone: timezone.default('UTC'),
      /** The DAG that is run: any that takes a model's name. */
      pipeline: z.string().min(1).default('model-lifecycle'),
      /** What becomes of a run that is due while the one before it goes on. */
      overlap: z.enum(['skip', 'buffer-one', 'buffer-all', 'cancel-other']).default('buffer-one'),
    })
    .optional(),
  tags: z.record(z.string(), z.string()).default({}),
});

export const modelFile = sections.superRefine(({ data, evaluate }, problems) => {
  for (const [index, name] of (evaluate.slices ?? []).entries()) {
    if (data.slices.includes(name)) continue;
    const message = `'${name}' is not in data.slices, so no row carries it: add it there`;
    problems.addIssue({ code: 'custom', path: ['evaluate', 'slices', index], message });
  }
});

/** What a team writes. */
export type ModelFile = z.input<typeof modelFile>;
/** With every default filled in. */
export type ModelSettings = z.output<typeof modelFile>;
