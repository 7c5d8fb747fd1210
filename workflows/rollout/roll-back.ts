// A rollback: the trial in flight is off already when it starts; alone, it brings an earlier version up and makes it champion.

import { CancellationScope } from '@temporalio/workflow';
import type { RollbackRequest, Survey } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { describeRevocation, revocationOf } from '../../systems/endpoint/revocations.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { effects } from './activities.js';
import { rollForward } from './deploy.js';
import type { Entity } from './entity.js';
import { failureReason } from './failure-reason.js';
import { insist } from './insist.js';
import { readPast } from './next-move.js';
import type { Operation } from './operation.js';
import { bringUp, endTrial, moveUnderLease } from './trial.js';

/** Never throws: the outcome says what happened. */
export async function conductRollback(
  entity: Entity,
  operation: Operation,
  request: RollbackRequest,
): Promise<RolloutOutcome> {
  try {
    const before = await operation.scope.run(() => prepare(entity, operation, request));
    if ('outcome' in before) return before;
    return await commit(entity, operation, before.from);
  } catch (error) {
    return giveUp(entity, operation, operation.stop?.reason ?? failureReason(error));
  }
}

async function prepare(
  entity: Entity,
  operation: Operation,
  request: RollbackRequest,
): Promise<RolloutOutcome | { readonly from: EndpointState }> {
  const { model } = request;
  const survey = await effects('read the endpoint').surveyEndpoint({ model, operationId: operation.id });
  const past = readPast(survey, request);
  if (past === 'committed') return rollForward(entity, operation, { survey, reason: 'It was rolled back before.' });
  const { state } = survey;
  const aborted = entity.finished.findLast((done) => done.operationId === operation.ended);
  const endedForIt = aborted?.outcome === 'rolled-back';
  const isEnded = endedForIt || survey.own.some(({ change }) => change.kind === 'abort');
  if (request.ofRollout !== null && !isEnded) return endNamedRollout(entity, operation, { request, survey });
  if (isEnded) {
    const stays = state?.champion ?? null;
    if (request.toVersion === null || request.toVersion === stays) {
      operation.version = stays;
      const remains = stays === null ? 'there is no champion' : `version ${stays} stays the champion`;
      return operation.outcome('rolled-back', `The trial was aborted; ${remains}.`, state);
    }
  }
  // The end of the trial bears its id, too; where that was for it just now, the rest is still to do.
  if (past === 'over' && !endedForIt) throw endTrial('The rollback was ended from outside before it was decided.');

  if (state === null || state.champion === null)
    throw endTrial(`The endpoint of ${model} has no champion: there is nothing to roll back.`);
  const target = request.toVersion ?? state.previous;
  if (target === null)
    throw endTrial(`The endpoint of ${model} has no previous version: name one with toVersion (pawl rollback --to).`);
  const revocation = revocationOf(state, target);
  if (request.toVersion === null && revocation !== undefined)
    throw endTrial(
      `Version ${target}, the previous one, was ${describeRevocation(revocation)} Name the version to go back to with toVersion (pawl rollback --to).`,
    );
  operation.version = target;
  operation.generation = state.generation;
  if (target === state.champion && state.trial === null) {
    entity.chores.follow(state.generation);
    return operation.outcome('unchanged', `Version ${target} is the champion already.`, state);
  }
  if (target === state.champion) return endStaleTrial(entity, operation, { request, found: state });
  await bringUp(entity, operation, target, false);
  return { from: state };
}

/** As a rollout's teardown: it ends that rollout's trial where it is still on, and does nothing once it was decided. */
async function endNamedRollout(
  entity: Entity,
  operation: Operation,
  { request, survey }: { readonly request: RollbackRequest; readonly survey: Survey },
): Promise<RolloutOutcome> {
  const { state } = survey;
  operation.version = state?.champion ?? null;
  if (state !== null && state.trial !== null && state.trial === request.ofRollout)
    return endStaleTrial(entity, operation, { request, found: state });
  return operation.outcome(
    'unchanged',
    `The rollout ${request.ofRollout ?? ''} is not on trial: nothing to do.`,
    state,
  );
}

/** A challenger that nobody conducts any more comes off; the champion stays. */
async function endStaleTrial(
  entity: Entity,
  operation: Operation,
  { request, found }: { readonly request: RollbackRequest; readonly found: EndpointState },
): Promise<RolloutOutcome> {
  const { model, settings } = request;
  const takeOff = {
    ...operation.nextWrite(),
    model,
    trial: found.trial ?? '',
    kind: 'abort' as const,
    fence: false,
    revokes: request.ofRollout === null ? found.challenger : null,
    leaseMs: settings.leaseMs,
  };
  const { state } = await effects('abort').takeOffChallenger(takeOff);
  if (state !== null) {
    entity.chores.follow(state.generation);
    if (found.challenger !== null)
      entity.chores.retire({
        version: found.challenger,
        drainMs: settings.drainMs,
        afterGeneration: state.generation,
      });
  }
  operation.version = state?.champion ?? null;
  return operation.outcome('rolled-back', 'The trial was aborted; the champion stays.', state);
}

async function commit(entity: Entity, operation: Operation, from: EndpointState): Promise<RolloutOutcome> {
  const { drainMs } = operation.request.settings;
  const version = operation.version ?? 0;
  operation.phase = 'committing';
  entity.note(operation, `making version ${version} the champion`);
  const state = await CancellationScope.nonCancellable(() =>
    moveUnderLease(operation, { kind: 'rollback', version }, false),
  );
  entity.chores.follow(state.generation);
  for (const left of [from.champion, from.challenger])
    if (left !== null && left !== version)
      entity.chores.retire({ version: left, drainMs, afterGeneration: state.generation });
  const left = from.champion === null ? '' : ` No run rolls version ${from.champion} out again by itself.`;
  return operation.outcome('rolled-back', `Version ${version} is the champion again.${left}`, state);
}

/** Before its write a rollback leaves everything as it was. */
async function giveUp(entity: Entity, operation: Operation, reason: string): Promise<RolloutOutcome> {
  operation.phase = 'aborting';
  const survey = await readAtLast(entity, operation, reason);
  if (survey === undefined) {
    operation.endpointLost = true;
    return operation.outcome('failed', `${reason} The endpoint object is lost or cannot be read.`, null);
  }
  if (survey.own.some(({ change }) => change.kind === 'rollback'))
    return rollForward(entity, operation, { survey, reason: 'It was rolled back before it could be stopped.' });
  const { state } = survey;
  if (operation.launched && operation.version !== null)
    entity.chores.retire({
      version: operation.version,
      drainMs: operation.request.settings.drainMs,
      afterGeneration: state?.generation ?? 0,
    });
  const remains = state?.champion == null ? '' : ` Version ${state.champion} stays the champion.`;
  return operation.outcome('failed', `${reason}${remains}`, state);
}

/** Once a write that may be on its way can no longer win; `undefined` where the endpoint cannot be read. */
async function readAtLast(entity: Entity, operation: Operation, reason: string): Promise<Survey | undefined> {
  const { model } = entity;
  const tryOn = (trouble: string) => entity.note(operation, `${reason} The endpoint cannot be reached: ${trouble}`);
  try {
    if (operation.uncertain) {
      const stop = { by: operation.request.by, reason };
      const { leaseMs } = operation.request.settings;
      const author = { ...operation.nextWrite(stop), model, trial: operation.id, leaseMs };
      const fence = { ...author, kind: 'abort' as const, fence: true, revokes: null };
      await insist('abort', (calls) => calls.takeOffChallenger(fence), tryOn);
    }
    const survey = { model, operationId: operation.id };
    return await insist('read the endpoint', (calls) => calls.surveyEndpoint(survey), tryOn);
  } catch {
    return undefined;
  }
}
