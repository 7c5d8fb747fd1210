// Is there anything to train? The same data under the same settings as the champion's give nothing new.

import { z } from 'zod';
import { task } from '../dag/task.js';
import { describeRevocation } from '../systems/endpoint/revocations.js';
import { latestOrigin, revokedFrom, type Origin } from './origin.js';
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
    const state = (await systems.endpoints.read(model))?.state;
    const champion = state?.champion ?? null;
    const isThis = (origin: Origin) => origin.datasetId === dataset.id && origin.settingsDigest === settingsDigest;
    const origin = champion === null ? undefined : latestOrigin(await systems.registry.version(model, champion));
    if (origin !== undefined && isThis(origin))
      return unchanged(`version ${champion}, the champion, was trained from this data under these settings`);
    const [revocation] = await revokedFrom(systems.registry, { model, revoked: state?.revoked ?? [] }, isThis);
    if (revocation !== undefined)
      return unchanged(
        `version ${revocation.version} came of this data under these settings, and was ${describeRevocation(revocation)} ` +
          'To roll it out all the same, start canary-deploy for it, or this run with force.',
      );
    if (origin === undefined) return changed('the endpoint has no champion yet');
    const what = origin.datasetId === dataset.id ? 'settings differ' : 'data differs';
    return changed(`the ${what} from what version ${champion} was trained with`);
  },
});
