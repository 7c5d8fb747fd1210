// Finds how a model is rolled out in the models' files that the worker was started with.

import { SystemError } from '../../dag/failures.js';
import { rolloutSettings, type RolloutSettings } from '../schemas/rollout-settings.js';

/** Throws `NotFound` with the known names, `InvalidInput`. */
export function settingsOfModel(models: ReadonlyMap<string, unknown>, name: string): RolloutSettings {
  const found = models.get(name);
  if (found === undefined) {
    const known = [...models.keys()].sort().join(', ');
    throw new SystemError(
      'NotFound',
      `No model is named "${name}": ${known === '' ? 'the worker was started without models' : `known are ${known}`}.`,
    );
  }
  const settings = (found as { settings?: { rollout?: unknown } }).settings ?? (found as { rollout?: unknown });
  return rolloutSettings.parse(settings.rollout ?? {});
}
