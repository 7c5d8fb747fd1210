// What canary-deploy and rollback take.

import { z } from 'zod';
import { rolloutSettings } from './rollout-settings.js';

const version = z.number().int().positive();

export const deployInput = z.object({
  model: z.string().min(1),
  version,
  rollout: rolloutSettings,
  /** Also where the version was taken back: by a rollback, an abort, or the canary itself. */
  again: z.boolean().default(false),
  reason: z.string().optional(),
  /** Says what it would do, and does nothing. */
  dryRun: z.boolean().default(false),
});

export const rollbackInput = z.object({
  model: z.string().min(1),
  /** The previous one where it is not given. */
  toVersion: version.optional(),
  /**
   * As the teardown of a step of the same run: that step's trial ends where it is still on, and nothing happens once its
   * rollout was decided.
   */
  ofStep: z.string().optional(),
  rollout: rolloutSettings,
  reason: z.string(),
  dryRun: z.boolean().default(false),
});
