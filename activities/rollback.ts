// Rollback: an earlier version becomes champion again, with traffic, aliases and services as they were. While a challenger is
// on trial it takes that off, and the champion stays.

import { z } from 'zod';
import { workflowTask } from '../dag/task.js';
import { settingsOfModel } from './rollout/settings-of-model.js';
import { rollbackInput } from './schemas/rollout-input.js';
import { rolloutOutcome } from './schemas/rollout-outcome.js';
import { rolloutSettings } from './schemas/rollout-settings.js';

export const rollback = workflowTask({
  name: 'rollback',
  version: '1',
  description: 'Go back to an earlier version, or take a challenger off.',
  input: rollbackInput,
  output: rolloutOutcome,
  workflowType: 'requestRollout',
  outlivesParent: true,
  // Beyond every `rollout.deadlineMs`, whose own timer says truly why it ends.
  deadline: '3650d',
  alone: {
    params: z.strictObject({
      model: z.string().min(1),
      toVersion: z.number().int().positive().optional(),
      reason: z.string().min(1),
      dryRun: z.boolean().optional(),
    }),
    resolve: ({ model, toVersion, reason, dryRun }, { models }) => ({
      model,
      reason,
      // In the night a rollback must work for a model whose file is not at hand.
      rollout: models.has(model) ? settingsOfModel(models, model) : rolloutSettings.parse({}),
      ...(toVersion !== undefined && { toVersion }),
      ...(dryRun !== undefined && { dryRun }),
    }),
  },
});
