// A deploy from its request to the one write that decides it: champion = the new version. Whatever goes wrong before that
// write rolls back; what comes after it only rolls forward.

import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope } from '@temporalio/workflow';
import type { DeployRequest, Survey } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { describeRevocation, revocationOf } from '../../systems/endpoint/revocations.js';
import type { EndpointState, Revocation } from '../../systems/endpoint/state.js';
import { rollBackDeploy } from './abort.js';
import { effects } from './activities.js';
import type { Entity } from './entity.js';
import { failureReason } from './failure-reason.js';
import { readPast } from './next-move.js';
import type { Operation } from './operation.js';
import { bringUp, challengerFailed, endTrial, leaseExpired, moveUnderLease, runTrial } from './trial.js';

/** Never throws: the outcome says what happened. */
export async function conductDeploy(
  entity: Entity,
  operation: Operation,
  request: DeployRequest,
): Promise<RolloutOutcome> {
  try {
    const before = await operation.scope.run(() => prepare(entity, operation, request));
    if ('outcome' in before) return before;
    return await commit(entity, operation, before);
  } catch (error) {
    const failure = error instanceof ApplicationFailure ? error : undefined;
    const revokes = failure?.type === challengerFailed;
    const by = revokes ? 'the canary' : request.by;
    const stop = operation.stop ?? { by, reason: failureReason(error), revokes };
    return rollBackDeploy(entity, operation, { stop, expired: failure?.type === leaseExpired });
  }
}

/** What the commit finds: whom it replaces, and whether the version had been taken back. */
interface Ready {
  readonly champion: number | null;
  readonly revocation: Revocation | undefined;
}

/** The way to the commit; answers the endpoint as the commit finds it, or an outcome where there is nothing to commit. */
async function prepare(entity: Entity, operation: Operation, request: DeployRequest): Promise<RolloutOutcome | Ready> {
  const { model, version } = request;
  const survey = await effects('read the endpoint').surveyEndpoint({ model, operationId: operation.id });
  switch (readPast(survey, request)) {
    case 'committed':
      return rollForward(entity, operation, { survey, reason: `Version ${version} was promoted before.` });
    case 'on-trial':
      operation.generation = survey.state?.generation ?? null;
      throw endTrial('The trial was left alone by a rollout that was ended from outside.');
    case 'over':
      operation.launched = true;
      throw endTrial('The rollout was ended from outside before it was decided.');
    case 'fresh':
      break;
  }
  const { state } = survey;
  operation.generation = state?.generation ?? 0;
  if (state?.champion === version) {
    entity.chores.follow(state.generation);
    return operation.outcome('unchanged', `Version ${version} is the champion already.`, state);
  }
  const revocation = revocationOf(state, version);
  if (revocation !== undefined && !request.again) {
    const told = `Version ${version} is not rolled out again by itself, since it was ${describeRevocation(revocation)}`;
    return operation.outcome('unchanged', told, state);
  }
  if (state !== null && state.trial !== null) await clearStaleTrial(entity, operation, state);

  const champion = state?.champion ?? null;
  await bringUp(entity, operation, version, champion === null);
  // A first version has nobody to be compared with: the probe stood in for the canary.
  if (champion !== null) await runTrial(entity, operation, request, champion);
  return { champion, revocation };
}

/** Nobody conducts that trial any more: this workflow is the only one that may. */
async function clearStaleTrial(entity: Entity, operation: Operation, state: EndpointState): Promise<void> {
  const author = operation.nextWrite({
    by: operation.request.by,
    reason: `The trial ${state.trial ?? ''} was left alone; ${operation.id} takes the endpoint over.`,
  });
  const cleared = await effects('clear a trial that was left alone').takeOffChallenger({
    ...author,
    model: entity.model,
    trial: state.trial ?? '',
    kind: 'expire',
    fence: false,
    revokes: null,
    leaseMs: operation.request.settings.leaseMs,
  });
  if (cleared.state === null || cleared.was !== 'on-trial')
    throw endTrial('The endpoint changed while a trial that was left alone was cleared.');
  operation.generation = cleared.state.generation;
  entity.chores.follow(cleared.state.generation);
  if (state.challenger !== null && state.challenger !== operation.version)
    entity.chores.retire({
      version: state.challenger,
      drainMs: operation.request.settings.drainMs,
      afterGeneration: cleared.state.generation,
    });
}

/** The one write that decides. It cannot be stopped: whoever comes now comes too late, or before it. */
async function commit(entity: Entity, operation: Operation, before: Ready): Promise<RolloutOutcome> {
  const { model, settings } = operation.request;
  const version = operation.version ?? 0;
  operation.phase = 'committing';
  entity.note(operation, `promoting version ${version}`);
  const first = before.champion === null;
  const state = await CancellationScope.nonCancellable(() =>
    moveUnderLease(operation, first ? { kind: 'first', version } : { kind: 'promote' }, !first),
  );
  entity.chores.follow(state.generation);
  if (before.champion !== null)
    entity.chores.retire({ version: before.champion, drainMs: settings.drainMs, afterGeneration: state.generation });
  const how = operation.promotion === undefined ? '' : ` ${operation.promotion.by} promoted it by hand.`;
  const again = before.revocation === undefined ? '' : ` It had been ${describeRevocation(before.revocation)}`;
  return operation.outcome('promoted', `Version ${version} is the champion of ${model}.${how}${again}`, state);
}

/** The commit has happened: only what follows it may be missing. */
export function rollForward(
  entity: Entity,
  operation: Operation,
  found: { readonly survey: Survey; readonly reason: string },
): RolloutOutcome {
  const { state, replaced } = found.survey;
  const { drainMs } = operation.request.settings;
  if (state !== null) {
    entity.chores.follow(state.generation);
    // The endpoint's present versions are left alone by the retirement itself.
    for (const version of replaced) entity.chores.retire({ version, drainMs, afterGeneration: state.generation });
  }
  const outcome = operation.request.kind === 'deploy' ? 'promoted' : 'rolled-back';
  return operation.outcome(outcome, found.reason, state);
}
