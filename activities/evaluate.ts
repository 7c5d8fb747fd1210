// Evaluate: an artifact on the test split, and the champion beside it on the very same examples, in one job.

import { z } from 'zod';
import type { TaskContext } from '../dag/context.js';
import { SystemError } from '../dag/failures.js';
import { jobTask } from '../dag/task.js';
import type { JobRef } from '../systems/compute/port.js';
import { readJson } from '../systems/object-store/json-object.js';
import { evaluationPrefix, fileKey, s3Uri } from '../systems/object-store/keys.js';
import { findDatasetRef } from './find-dataset-ref.js';
import { modelSettings } from './model-settings.js';
import { awaitJob } from './remote-job/await-job.js';
import type { RemoteJobPlan } from './remote-job/job-file.js';
import { releaseJob } from './remote-job/release-job.js';
import type { JobResult } from './remote-job/result.js';
import { submitJob } from './remote-job/submit-job.js';
import { artifactRef } from './schemas/artifact.js';
import { datasetRef } from './schemas/dataset.js';
import { evaluateDeadline, evaluateSettings, measuringSettings } from './schemas/evaluate-settings.js';
import { evaluationReport, metricTable } from './schemas/evaluation.js';
import { placeBase, plainJson, stageJob } from './stage-job.js';

const modules = [
  'dataset_rows.py',
  'evaluated_model.py',
  'evaluation_settings.py',
  'language_model.py',
  'measure.py',
  'pawl_job.py',
  'safe_files.py',
  'text_metrics.py',
];

const champion = z.object({ version: z.number().int().positive(), artifact: artifactRef });
const pin = z.object({ schema: z.literal(1), champion: champion.nullable() });
type Champion = z.infer<typeof champion>;
type Pin = z.infer<typeof pin>;

const input = z.object({
  model: z.string(),
  artifact: artifactRef,
  dataset: datasetRef,
  evaluate: evaluateSettings,
  /** What to compare with; the endpoint's champion where absent, nothing where null. */
  champion: champion.nullable().optional(),
  /** Needed for an artifact that is an adapter alone. */
  base: z.string().nullish(),
});
type Input = z.output<typeof input>;

/** What a program of evaluation leaves as its result, Pawl's or a team's own. */
const measured = z.object({ metrics: metricTable, slices: z.record(z.string(), metricTable).default({}) });
const programResult = measured.extend({ champion: measured.nullable().default(null) });

/**
 * The champion as it is when the step first asks, written down under the step's key: it may move while the step is tried
 * again, and every try has to compare with the same version.
 */
async function championOf(given: Input, { systems, step }: TaskContext): Promise<Champion | null> {
  if (given.champion !== undefined) return given.champion;
  const { objects, environment, endpoints, registry } = systems;
  const key = fileKey(evaluationPrefix(environment, step.key), 'champion.json');
  const pinned = async (): Promise<Pin | undefined> => (await readJson(objects, key, pin))?.value;
  const before = await pinned();
  if (before !== undefined) return before.champion;
  const version = (await endpoints.read(given.model))?.state.champion;
  const found = typeof version === 'number' ? await registry.version(given.model, version) : null;
  const now: Pin = { schema: 1, champion: found && { version: found.version, artifact: found.artifact } };
  try {
    await objects.put(key, JSON.stringify(now), { ifNoneMatch: '*', contentType: 'application/json' });
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Conflict')) throw error;
  }
  // Another try may have been quicker: what stands there counts.
  return (await pinned())?.champion ?? null;
}

/** The same for every attempt: what runs, on what, and where its table of examples goes. */
async function evaluationPlan(given: Input, rival: Champion | null, context: TaskContext): Promise<RemoteJobPlan> {
  const { evaluate, artifact, dataset, base } = given;
  const found = placeBase(base);
  const settings = plainJson({ ...measuringSettings.parse(evaluate), ...found.settings });
  const { objects, environment } = context.systems;
  const folder = `${evaluationPrefix(environment, context.step.key)}{epoch}/`;
  return {
    ...(await stageJob(evaluate, { main: 'evaluate.py', modules, settings })),
    inputs: {
      artifact: artifact.uri,
      dataset: dataset.uri,
      ...(rival === null ? {} : { champion: rival.artifact.uri }),
      ...found.inputs,
    },
    outputs: { examples: s3Uri(objects.bucketName, folder) },
  };
}

/** Throws `InvalidOutput` for a program whose result is not one of an evaluation, or that left the champion out. */
function reportOf(
  given: Input,
  rival: Champion | null,
  { result, outputs }: JobResult,
): z.input<typeof evaluationReport> {
  const parsed = programResult.safeParse(result);
  if (!parsed.success)
    throw new SystemError('InvalidOutput', `The evaluation's result.json is wrong: ${z.prettifyError(parsed.error)}.`);
  const { metrics, slices, champion: against } = parsed.data;
  if (rival !== null && against === null)
    throw new SystemError(
      'InvalidOutput',
      `The evaluation was given version ${rival.version} as the champion, and its result.json has no champion: measure inputs.champion too.`,
    );
  return {
    datasetId: given.dataset.id,
    metrics,
    slices,
    champion: rival && against && { version: rival.version, ...against },
    examplesUri: outputs['examples']?.uri ?? '',
  };
}

export const evaluate = jobTask({
  name: 'evaluate',
  version: '1',
  description: 'Measures an artifact, and the champion on the same examples, with intervals and for slices',
  input,
  output: evaluationReport,
  // A job ends by its own `timeLimitMs`, wherever it goes on.
  timeout: evaluateDeadline,
  deadline: evaluateDeadline,
  alone: {
    params: z.object({
      model: z.string(),
      version: z.number().int().positive(),
      /** The one that the version was trained on where absent. */
      datasetId: z.string().optional(),
    }),
    resolve: async ({ model, version, datasetId }, context) => {
      const { registry, objects } = context.systems;
      const { artifact, lineage } = await registry.version(model, version);
      const { evaluate, train } = modelSettings(model, context);
      return {
        model,
        artifact,
        dataset: await findDatasetRef(objects, model, datasetId ?? lineage.datasetId),
        evaluate,
        ...(train.base === undefined ? {} : { base: train.base }),
      };
    },
  },
  submit: async (given, context): Promise<JobRef> =>
    submitJob(await evaluationPlan(given, await championOf(given, context), context), context),
  await: async (given, _job, context) => {
    const rival = await championOf(given, context);
    return reportOf(given, rival, await awaitJob(await evaluationPlan(given, rival, context), context));
  },
  release: async (_given, _job, context) => void (await releaseJob(context)),
});
