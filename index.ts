// `pawl`: what a team writes with. Tasks and DAGs, a model's file, the stages and the lifecycle wired from them.

// Schemas are written with the very zod that Pawl reads them with.
export { z } from 'zod';

export { all, any, equals, isTrue, not, type Check } from './dag/condition.js';
export type { Logger, ResolveContext, RunIdentity, StepIdentity, TaskContext, TriggerKind } from './dag/context.js';
export { dag, type Dag, type DagOptions, type DagOutputOf, type DagParamsOf, type DagWiring } from './dag/dag.js';
export type { StepFunction, StepOptions } from './dag/builder.js';
export type { Duration } from './dag/durations.js';
export { failures, SystemError, type FailureType, type SystemErrorOptions } from './dag/failures.js';
export type { Graph, Json, StepStatus, TriggerRule } from './dag/graph.js';
export type { LimitOptions, RetryOptions } from './dag/limits.js';
export type { Placeholder, Reference, Wirable, Wired } from './dag/reference.js';
export type { RunOptions } from './dag/run-options.js';
export {
  jobTask,
  task,
  type ActivityTask,
  type Alone,
  type AloneParamsOf,
  type InputOf,
  type JobTask,
  type OutputOf,
  type Task,
  type TaskOptions,
  type WorkflowTask,
} from './dag/task.js';
export { firstOf } from './dag/wiring.js';

export { model, type Model } from './pipelines/model.js';
export type { ModelFile, ModelSettings } from './activities/schemas/model-settings.js';
export { full, lora, type Recipe } from './activities/schemas/train-settings.js';
export { canary } from './activities/schemas/rollout-settings.js';
export { atLeast, atMost, judgeGate, notWorseThan, type GateRule, type GateVerdict } from './stats/gate.js';
export { errorRate, latency, type CanaryRule } from './stats/canary.js';

// The stages, to be used or replaced in a pipeline of one's own, and what passes between them.
export { preflight } from './activities/preflight.js';
export { featureEngineering } from './activities/feature-engineering.js';
export { detectChange } from './activities/detect-change.js';
export { fineTune } from './activities/fine-tune.js';
export { evaluate } from './activities/evaluate.js';
export { gate } from './activities/gate.js';
export { register } from './activities/register.js';
export { canaryDeploy } from './activities/canary-deploy.js';
export { rollback } from './activities/rollback.js';
export { artifactRef } from './activities/schemas/artifact.js';
export { datasetRef, type DatasetRef } from './activities/schemas/dataset.js';
export { evaluationReport, type EvaluationReport } from './activities/schemas/evaluation.js';
export { verdict, type Verdict } from './activities/schemas/verdict.js';
export { aboutModel, type AboutModel } from './pipelines/about-model.js';
export { modelLifecycle } from './pipelines/model-lifecycle.js';

// The three activities of a remote job, for tasks of one's own that train or evaluate elsewhere.
export { awaitJob } from './activities/remote-job/await-job.js';
export type { RemoteJobPlan } from './activities/remote-job/job-file.js';
export { releaseJob } from './activities/remote-job/release-job.js';
export type { JobResult } from './activities/remote-job/result.js';
export { submitJob } from './activities/remote-job/submit-job.js';

export type { Systems } from './systems/systems.js';
export { defineConfig, type Deployment } from './workers/settings.js';
