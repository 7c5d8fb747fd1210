// Register: the artifact becomes an immutable version of the model, with its lineage and the verdict that let it through.

import { z } from 'zod';
import type { Json } from '../dag/graph.js';
import { task } from '../dag/task.js';
import { originTags } from './origin.js';
import { artifactRef } from './schemas/artifact.js';
import { datasetRef } from './schemas/dataset.js';
import { evaluationReport } from './schemas/evaluation.js';
import { serveSettings } from './schemas/rollout-settings.js';
import { verdict } from './schemas/verdict.js';

/** The code that trained it: given by the deployment (`PAWL_CODE_VERSION`), since a worker's folder need not be a checkout. */
const codeVersion = (): string => process.env['PAWL_CODE_VERSION'] ?? 'unknown';

export const register = task({
  name: 'register',
  version: '1',
  input: z.object({
    model: z.string(),
    owner: z.string(),
    artifact: artifactRef,
    dataset: datasetRef,
    report: evaluationReport,
    verdict: verdict.refine((given) => given.passed, 'only a version that passed the gate is registered'),
    serve: serveSettings,
    settingsDigest: z.string(),
    tags: z.record(z.string(), z.string()).default({}),
  }),
  output: z.object({ version: z.number().int().positive(), registeredAt: z.iso.datetime() }),
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '2m',
  deadline: '1h',
  run: async (input, { systems, run, log }) => {
    const champion = (await systems.endpoints.read(input.model))?.state.champion;
    const origin = { datasetId: input.dataset.id, settingsDigest: input.settingsDigest };
    const registered = await systems.registry.register(input.model, {
      artifact: input.artifact,
      lineage: {
        ...origin,
        codeVersion: codeVersion(),
        workflowId: run.workflowId,
        runId: run.runId,
        ...(typeof champion === 'number' && { parentVersion: champion }),
      },
      metrics: { metrics: input.report.metrics, slices: input.report.slices } as Json,
      verdict: input.verdict,
      serve: input.serve,
      tags: input.tags,
      by: run.by ?? input.owner,
    });
    const news = originTags(registered, origin);
    if (news !== undefined) await systems.registry.tag(input.model, registered.version, news);
    log.info({ model: input.model, version: registered.version }, 'registered');
    return { version: registered.version, registeredAt: registered.createdAt };
  },
});
