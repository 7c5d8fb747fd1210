// Is there anything to train? The same data under the same settings as the champion's give nothing new.

import { z } from 'zod';
import { task } from '../dag/task.js';
import { latestOrigin } from './origin.js';
import { datasetRef } from './schemas/dataset.js';

export const detectChange = task({
  name: 'detect-change',
  version: '1',
  input: z.object({
    model: z.string(),
    dataset: datasetRef,
    settingsDigest: z.string(),
    /** Train again although nothing changed. */
    force: z.boolean(),
  }),
  output: z.object({
    changed: z.boolean(),
    outcome: z.enum(['unchanged', 'changed']),
    explanation: z.string(),
  }),
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '1m',
  deadline: '1h',
  run: async ({ model, dataset, settingsDigest, force }, { systems }) => {
    const changed = (explanation: string) => ({ changed: true, outcome: 'changed' as const, explanation });
    if (force) return changed('asked for by force');
    const champion = (await systems.endpoints.read(model))?.state.champion;
    if (typeof champion !== 'number') return changed('the endpoint has no champion yet');
    const origin = latestOrigin(await systems.registry.version(model, champion));
    if (origin.datasetId !== dataset.id) return changed(`the data differs from that of version ${champion}`);
    if (origin.settingsDigest !== settingsDigest)
      return changed(`the settings differ from those of version ${champion}`);
    const explanation = `version ${champion}, the champion, was trained from this data under these settings`;
    return { changed: false, outcome: 'unchanged' as const, explanation };
  },
});
