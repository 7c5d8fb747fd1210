// Runs one step whose turn has come: an activity, a remote job, or a workflow of Pawl's own.

import type { Admission, StepAnswer, StepEnvelope } from '../../activities/engine/protocol.js';
import type { Json, Step } from '../../dag/graph.js';
import { stepKey } from '../../dag/step-key.js';
import { callTask, type TaskCall } from './call-task.js';
import { runChild } from './run-child.js';
import { runJob } from './run-job.js';

export interface StepRun {
  readonly step: Step;
  readonly input: Json;
  readonly admission: Admission;
  readonly note: (reason: string | undefined) => void;
}

/** Answers the step's output; throws what the activity or the child threw, or a cancellation. */
export function runStep(run: StepRun): Promise<StepAnswer> {
  const { step, admission } = run;
  const identity = { id: step.id, key: stepKey(admission.run.runId, step.id) };
  if (step.kind === 'workflow') return runChild(run, { input: run.input, run: admission.run, step: identity });
  const envelope: StepEnvelope = { input: run.input, contract: step.task, run: admission.run, step: identity };
  const name = step.id === step.task.name ? step.id : `${step.id} (${step.task.name})`;
  const call: TaskCall = {
    activityType: step.task.name,
    envelope,
    summary: name,
    timeoutMs: step.timeoutMs,
    deadlineMs: step.deadlineMs,
    heartbeatMs: step.heartbeatMs,
    retry: {
      maximumAttempts: step.retry.attempts,
      initialInterval: step.retry.firstDelayMs,
      maximumInterval: step.retry.maxDelayMs,
    },
    deployWaitMs: admission.deployWaitMs,
    note: run.note,
    ...(step.taskQueue === undefined ? {} : { taskQueue: step.taskQueue }),
  };
  return step.kind === 'job' ? runJob(call, step) : callTask(call);
}
