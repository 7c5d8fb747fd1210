// Runs a step that is a workflow, as a child of the run.

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
import type { StepAnswer, WorkflowStepEnvelope } from '../../activities/engine/protocol.js';
import type { FailureType } from '../../dag/failures.js';
import type { Json, Step } from '../../dag/graph.js';
import { keyword } from '../search-attributes.js';
import type { StepRun } from './run-step.js';

/** The end of its parent asks the child to cancel, or leaves it alone; it never terminates it, because that runs no clean-up. */
export async function runChild({ step, admission }: StepRun, envelope: WorkflowStepEnvelope): Promise<StepAnswer> {
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
