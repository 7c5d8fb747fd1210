// Is there anything to train? The same data under the same settings as the champion's give nothing new.

import { z } from 'zod';
import { task } from '../dag/task.js';
import { describeRevocation } from '../systems/endpoint/revocations.js';
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
    const unchanged = (explanation: string) => ({ changed: false, outcome: 'unchanged' as const, explanation });
    const origin = async (version: number) => latestOrigin(await systems.registry.version(model, version));
    const state = (await systems.endpoints.read(model))?.state;
    for (const revocation of state?.revoked ?? []) {
      const { version } = revocation;
      const { datasetId, settingsDigest: digest } = await origin(version);
      if (datasetId === dataset.id && digest === settingsDigest)
        return unchanged(
          `version ${version} came of this data under these settings, and was ${describeRevocation(revocation)} ` +
            `(canary-deploy brings it back, force trains again)`,
        );
    }
    const champion = state?.champion ?? null;
    if (champion === null) return changed('the endpoint has no champion yet');
    const { datasetId, settingsDigest: digest } = await origin(champion);
    if (datasetId !== dataset.id) return changed(`the data differs from that of version ${champion}`);
    if (digest !== settingsDigest) return changed(`the settings differ from those of version ${champion}`);
    return unchanged(`version ${champion}, the champion, was trained from this data under these settings`);
  },
});
