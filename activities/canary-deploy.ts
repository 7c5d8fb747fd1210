// Canary-deploy: a registered version gets traffic by weighted steps with an analysis between them, and ends promoted or
// rolled back.

import { z } from 'zod';
import { workflowTask } from '../dag/task.js';
import { settingsOfModel } from './rollout/settings-of-model.js';
import { deployInput } from './schemas/rollout-input.js';
import { rolloutOutcome } from './schemas/rollout-outcome.js';

export const canaryDeploy = workflowTask({
  name: 'canary-deploy',
  version: '1',
  description: 'Roll a registered version out by weighted steps: promoted, or rolled back.',
  input: deployInput,
  output: rolloutOutcome,
  workflowType: 'requestRollout',
  outlivesParent: true,
  // Beyond every `rollout.deadlineMs`, whose own timer says truly why it ends.
  deadline: '3650d',
  alone: {
    params: z.strictObject({
      model: z.string().min(1),
      version: z.number().int().positive(),
      reason: z.string().optional(),
      dryRun: z.boolean().optional(),
    }),
    resolve: async ({ model, version, reason, dryRun }, { models, systems }) => {
      const rollout = settingsOfModel(models, model);
      // A slip in the number is no rollout that failed.
      await systems.registry.version(model, version);
      return {
        model,
        version,
        // Who names a version means it.
        again: true,
        rollout,
        ...(reason !== undefined && { reason }),
        ...(dryRun !== undefined && { dryRun }),
      };
    },
  },
});
