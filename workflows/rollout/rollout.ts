// The rollout of one endpoint: `rollout/<environment>/<model>`, the only workflow that moves it. Requests come as Updates, one
// is conducted at a time, and the workflow ends when nothing is left to do.

import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { conductDeploy } from './deploy.js';
import { openDesk } from './desk.js';
import { renderDetails } from './details.js';
import { Entity, type RolloutInput } from './entity.js';
import { rolloutFinished } from './messages.js';
import { Operation } from './operation.js';
import { conductRollback } from './roll-back.js';

/** A start without a request (its Update was refused) ends after this long. */
const firstRequestWithinMs = 10_000;
/** The observer sees the deadline too, and knows more about why. */
const observerFirstMs = 3_000;

/** How long what follows a decision is waited for before the requester is told. */
const tellWithinMs = 10 * 60_000;

export async function rollout(input: RolloutInput): Promise<{ finished: RolloutOutcome[] }> {
  const outer = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    const entity: Entity = new Entity(input, () => setCurrentDetails(renderDetails(entity.view())));
    openDesk(entity);
    outer.cancelRequested.catch(() => {
      const stop = { by: 'an operator', reason: "The rollout's workflow was cancelled." };
      entity.operation?.requestStop(stop);
      if (entity.waiting !== undefined) entity.withdrawn = stop;
    });
    if (input.carried === undefined) await condition(() => !entity.isIdle, firstRequestWithinMs);
    for (;;) {
      await condition(
        () =>
          entity.waiting !== undefined ||
          (entity.isIdle && allHandlersFinished()) ||
          workflowInfo().continueAsNewSuggested,
      );
      if (entity.isIdle && allHandlersFinished()) return { finished: entity.finished };
      if (workflowInfo().continueAsNewSuggested) await startAnew(entity);
      await conductNext(entity);
    }
  });
}

async function conductNext(entity: Entity): Promise<void> {
  const request = entity.waiting;
  if (request === undefined) return;
  const operation = new Operation(request, entity.waitingEnds);
  if (entity.withdrawn !== undefined) operation.requestStop(entity.withdrawn);
  entity.waiting = undefined;
  entity.waitingEnds = undefined;
  entity.withdrawn = undefined;
  entity.operation = operation;
  entity.changed();

  const clock = new CancellationScope();
  const deadline = watchDeadline(operation, clock);
  const outcome =
    request.kind === 'deploy'
      ? await conductDeploy(entity, operation, request)
      : await conductRollback(entity, operation, request);
  clock.cancel();
  await deadline;

  operation.phase = 'finishing';
  entity.note(operation, outcome.reason);
  // Whoever comes next takes over what is left to do; and the requester need not wait for a registry that is away for hours.
  const patienceMs = operation.endpointLost ? 0 : tellWithinMs;
  if (patienceMs > 0) await condition(() => entity.chores.isDone || entity.waiting !== undefined, patienceMs);
  const left = entity.chores.describe();
  const told =
    left.length === 0 ? outcome : { ...outcome, reason: `${outcome.reason} Still to do: ${left.join(', ')}.` };
  entity.finish(told);
  await tell(request.requester.workflowId, told);
}

async function watchDeadline(operation: Operation, clock: CancellationScope): Promise<void> {
  const { deadlineMs } = operation.request.settings;
  try {
    await clock.run(() => sleep(deadlineMs + observerFirstMs, { summary: 'the deadline of the rollout' }));
    operation.requestStop({ by: operation.request.by, reason: `The deadline passed: ${operation.note}.` });
  } catch {
    // It was decided in time.
  }
}

/** A requester that is gone has no say in the rollout. */
async function tell(workflowId: string, outcome: RolloutOutcome): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(rolloutFinished, outcome);
  } catch (error) {
    log.info(`nobody to tell: ${workflowId}`, { error });
  }
}

/** Only between operations, when no observer is under way that the new run could not go on with. */
async function startAnew(entity: Entity): Promise<void> {
  const chores = await entity.chores.handOver();
  await condition(allHandlersFinished);
  await continueAsNew<typeof rollout>({
    environment: entity.environment,
    model: entity.model,
    carried: {
      waiting: entity.waiting ?? null,
      finished: entity.finished,
      chores,
      ...(entity.waitingEnds !== undefined && { waitingEnds: entity.waitingEnds }),
      ...(entity.withdrawn !== undefined && { withdrawn: entity.withdrawn }),
    },
  });
}
