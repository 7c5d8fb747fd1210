// Runs one step whose turn has come: an activity, a remote job, or a workflow of Pawl's own.

import { ApplicationFailure } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  executeChild,
  isCancellation,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Admission, StepAnswer, StepEnvelope, WorkflowStepEnvelope } from '../../activities/engine/protocol.js';
import type { FailureType } from '../../dag/failures.js';
import type { Json, Step } from '../../dag/graph.js';
import { stepKey } from '../../dag/step-key.js';
import { keyword } from '../search-attributes.js';
import { callTask, type TaskCall } from './call-task.js';
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
  if (step.kind === 'workflow') return runWorkflowStep(run, { input: run.input, run: admission.run, step: identity });
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

/** The end of its parent asks the child to cancel, or leaves it alone; it never terminates it, because that runs no clean-up. */
async function runWorkflowStep({ step, admission }: StepRun, envelope: WorkflowStepEnvelope): Promise<StepAnswer> {
  const { run, model } = admission;
  const child = (): Promise<unknown> =>
    executeChild(step.workflowType ?? step.task.name, {
      workflowId: `${workflowInfo().workflowId}/${step.id}`,
      args: [envelope],
      parentClosePolicy: step.outlivesParent === true ? ParentClosePolicy.ABANDON : ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `${step.id} of ${run.dag}`,
      typedSearchAttributes: [
        { key: keyword('PawlDag'), value: run.dag },
        { key: keyword('PawlEnvironment'), value: run.environment },
        { key: keyword('PawlTrigger'), value: 'parent' },
        ...(model === undefined ? [] : [{ key: keyword('PawlModel'), value: model }]),
      ],
      ...(step.taskQueue === undefined ? {} : { taskQueue: step.taskQueue }),
    });
  const output = await withDeadline(step, child);
  return { output: (output ?? null) as Json, attempt: 1 };
}

/** A timer and not a run timeout: the child is told to cancel, and cleans up. */
async function withDeadline(step: Step, child: () => Promise<unknown>): Promise<unknown> {
  const scope = new CancellationScope();
  const timer = new CancellationScope();
  let expired = false;
  const expiry = timer
    .run(() => sleep(step.deadlineMs, { summary: `${step.id}: deadline` }))
    .then(
      () => {
        expired = true;
        scope.cancel();
      },
      () => undefined,
    );
  try {
    return await scope.run(child);
  } catch (error) {
    if (!expired || !isCancellation(error)) throw error;
    throw ApplicationFailure.nonRetryable(
      `it took longer than its deadline of ${step.deadlineMs} ms`,
      'DeadlineExceeded' satisfies FailureType,
    );
  } finally {
    timer.cancel();
    await expiry;
  }
}
