// Fine-tune: a data set and a base model become an artifact, on a training host. A retry goes on with the job that runs, and a
// host that dies costs what came after its last checkpoint.

import { z } from 'zod';
import { jobTask } from '../dag/task.js';
import type { JobRef } from '../systems/compute/port.js';
import { artifactPrefix, s3Uri } from '../systems/object-store/keys.js';
import type { ObjectStore } from '../systems/object-store/port.js';
import { findDatasetRef } from './find-dataset-ref.js';
import { modelSettings } from './model-settings.js';
import { awaitJob } from './remote-job/await-job.js';
import type { RemoteJobPlan } from './remote-job/job-file.js';
import { releaseJob } from './remote-job/release-job.js';
import type { JobResult } from './remote-job/result.js';
import { submitJob } from './remote-job/submit-job.js';
import { artifactRef } from './schemas/artifact.js';
import { datasetRef } from './schemas/dataset.js';
import { trainDeadline, trainSettings } from './schemas/train-settings.js';
import { placeBase, plainJson, stageJob } from './stage-job.js';

const modules = [
  'dataset_rows.py',
  'language_model.py',
  'pawl_job.py',
  'recipe.py',
  'safe_files.py',
  'trained_artifact.py',
  'trainer.py',
  'training_data.py',
  'training_state.py',
];

const input = z.object({ model: z.string(), dataset: datasetRef, train: trainSettings });

const output = z.object({
  artifact: artifactRef,
  /** Its last point; null is what a program of the team's own did not say. The whole curve is in the artifact. */
  curve: z.object({
    steps: z.number().nullable(),
    finalLoss: z.number().nullable(),
    validationLoss: z.number().nullable(),
  }),
  /** Time spent on training, over all hosts; null where the program did not say. */
  trainingSeconds: z.number().nullable(),
});

/** The same for every attempt: what runs, and where its artifact goes. */
async function trainingPlan(
  { model, dataset, train }: z.output<typeof input>,
  objects: ObjectStore,
): Promise<RemoteJobPlan> {
  const { base, recipe } = train;
  const found = placeBase(base);
  const settings = plainJson({ ...found.settings, recipe });
  return {
    ...(await stageJob(train, { main: 'fine_tune.py', modules, settings })),
    inputs: { dataset: dataset.uri, ...found.inputs },
    outputs: { artifact: s3Uri(objects.bucketName, artifactPrefix(model, '{digest}')) },
  };
}

const numberOrNull = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Throws `InvalidOutput` for a job that left no artifact. */
function trainedArtifact({ result, outputs }: JobResult): z.input<typeof output> {
  return {
    artifact: outputs['artifact'] as z.input<typeof artifactRef>,
    curve: {
      steps: numberOrNull(result['steps']),
      finalLoss: numberOrNull(result['finalLoss']),
      validationLoss: numberOrNull(result['validationLoss']),
    },
    trainingSeconds: numberOrNull(result['seconds']),
  };
}

export const fineTune = jobTask({
  name: 'fine-tune',
  version: '1',
  description: 'Trains a model on a data set, on a training host, and answers with its artifact in the object store',
  input,
  output,
  // A job ends by its own `timeLimitMs`, wherever it goes on.
  timeout: trainDeadline,
  deadline: trainDeadline,
  alone: {
    params: z.object({ model: z.string(), datasetId: z.string() }),
    resolve: async ({ model, datasetId }, context) => ({
      model,
      dataset: await findDatasetRef(context.systems.objects, model, datasetId),
      train: modelSettings(model, context).train,
    }),
  },
  submit: async (given, context): Promise<JobRef> =>
    submitJob(await trainingPlan(given, context.systems.objects), context),
  await: async (given, _job, context) =>
    trainedArtifact(await awaitJob(await trainingPlan(given, context.systems.objects), context)),
  release: async (_given, _job, context) => void (await releaseJob(context)),
});
