// A run's step that asks for a rollout and waits for how it ends. The rollout is another workflow, which goes on when this one
// is gone; a cancellation reaches it as a message.

import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, condition, isCancellation, log, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { WorkflowStepEnvelope } from '../../activities/engine/protocol.js';
import type { RolloutRequest } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { rolloutWorkflowId } from '../../dag/rollout-id.js';
import { requests } from './activities.js';
import { failureReason, failureType } from './failure-reason.js';
import { rolloutFinished } from './messages.js';

/** The rollout tells by a signal; to ask as well is for the day when somebody has terminated it. */
const maxAskEveryMs = 30 * 60_000;

export async function requestRollout(envelope: WorkflowStepEnvelope): Promise<RolloutOutcome> {
  const key = envelope.step.key;
  const told: { outcome?: RolloutOutcome } = {};
  setHandler(rolloutFinished, (outcome) => {
    if (outcome.operationId === key) told.outcome = outcome;
  });
  const { request, dryRun } = await requests('read the request').readRolloutRequest(envelope);
  if (dryRun) return requests('what it would do').planRollout(request);

  // Not cancellable: whether it began has to be known before it can be ended.
  await CancellationScope.nonCancellable(() => begin(request, told));
  setCurrentDetails(`Waits for the workflow \`${rolloutWorkflowId(envelope.run.environment, request.model)}\`.`);
  try {
    return settle(await outcomeOf(request, told));
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return await CancellationScope.nonCancellable(async () => {
      const { operationId, model, by } = request;
      await requests('abort').abortRollout({
        operationId,
        model,
        by,
        reason: 'the run that asked for it was cancelled, or its step took longer than its deadline',
      });
      return settle(await outcomeOf(request, told));
    });
  }
}

async function begin(request: RolloutRequest, told: { outcome?: RolloutOutcome }): Promise<void> {
  const answer = await requests(`begin: ${request.kind}`).beginRollout(request);
  if (answer.status === 'finished') told.outcome ??= answer.outcome;
}

async function outcomeOf(request: RolloutRequest, told: { outcome?: RolloutOutcome }): Promise<RolloutOutcome> {
  const { operationId, model, settings } = request;
  const waits = { summary: 'until the rollout is asked how it stands' };
  for (let askEveryMs = settings.leaseMs; ; askEveryMs = Math.min(maxAskEveryMs, askEveryMs * 1.5)) {
    await condition(() => told.outcome !== undefined, askEveryMs, waits);
    if (told.outcome !== undefined) return told.outcome;
    const check = await requests('how the rollout stands').checkRollout({ operationId, model });
    if (check.status === 'finished') return check.outcome;
    if (check.status === 'gone') {
      const left = await recover(request, told);
      if (left !== undefined) return left;
    }
  }
}

/** Nobody conducts the operation any more: what it left behind is put in order, and nothing is begun. */
async function recover(
  request: RolloutRequest,
  told: { outcome?: RolloutOutcome },
): Promise<RolloutOutcome | undefined> {
  log.warn('the workflow of the rollout is gone; what it left behind is put in order');
  try {
    await begin({ ...request, recovering: true }, told);
    return told.outcome;
  } catch (error) {
    if (failureType(error) !== 'RolloutRefused') throw error;
    log.warn(failureReason(error));
    return requests('how it ended').concludeRollout(request);
  }
}

/** A rollback that could not be done fails its step; everything else is a result. */
function settle(outcome: RolloutOutcome): RolloutOutcome {
  if (outcome.outcome !== 'failed') return outcome;
  throw ApplicationFailure.create({
    message: outcome.reason,
    type: 'StepFailed',
    nonRetryable: true,
    details: [outcome],
  });
}
