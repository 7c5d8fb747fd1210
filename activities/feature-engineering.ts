// Feature engineering: raw data in the object store becomes an immutable, content-addressed data set with its statistical profile.

import { z } from 'zod';
import { task } from '../dag/task.js';
import { datasetRefOf, lastDataset, rememberDataset } from './feature-engineering/find-dataset.js';
import { modelSettings } from './model-settings.js';
import { dataSettings } from './schemas/data-settings.js';
import { datasetRef } from './schemas/dataset.js';

export const featureEngineering = task({
  name: 'feature-engineering',
  version: '1',
  description: 'Raw data becomes an immutable data set: cleaned, cut, deduplicated, masked, split and checked',
  input: z.object({ model: z.string(), data: dataSettings }),
  output: z.object({
    dataset: datasetRef,
    /** The same input gave this data set before, so nothing was read. */
    reused: z.boolean(),
    dropped: z.record(z.string(), z.number()),
    quarantined: z.object({ rows: z.number(), percent: z.number(), uri: z.string().nullable() }),
    masked: z.record(z.string(), z.number()),
  }),
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '6h',
  deadline: '1d',
  heartbeat: '1m',
  alone: {
    params: z.object({ model: z.string() }),
    resolve: ({ model }, context) => ({ model, data: modelSettings(model, context).data }),
  },
  run: async ({ model, data }, context) => {
    // DuckDB and the parsers are loaded where a data set is built, not by every program that wires this stage.
    const { buildDataset, inspectSource } = await import('./feature-engineering/build-dataset.js');
    const { systems, run, log } = context;
    const last = await lastDataset(systems.objects, model, run.environment);
    const source = await inspectSource(systems.objects, data);
    const reused = last?.fingerprint === source.fingerprint;
    const { manifest, report } = reused
      ? { manifest: last.manifest, report: last.manifest }
      : await buildDataset({ model, settings: data, last: last?.manifest }, source, context);
    if (!reused) await rememberDataset(systems.objects, run.environment, { manifest, fingerprint: source.fingerprint });
    log.info({ model, dataset: manifest.id, rows: manifest.rows, reused }, 'data set is ready');
    const { dropped, quarantined, masked } = report;
    return { dataset: datasetRefOf(systems.objects, manifest), reused, dropped, quarantined, masked };
  },
});
