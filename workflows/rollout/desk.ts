// The desk where a rollout takes messages: requests to begin, and what operators say. Refusals happen in the validators, so
// that they leave no trace in the history.

import { ApplicationFailure } from '@temporalio/common';
import { setHandler } from '@temporalio/workflow';
import type { AbortRequest, BeginAnswer, OperatorMessage, RolloutRequest } from '../../activities/rollout/protocol.js';
import type { Entity } from './entity.js';
import * as messages from './messages.js';
import { Operation } from './operation.js';

const refuse = (type: 'RolloutRefused' | 'InvalidInput', sentence: string): never => {
  throw ApplicationFailure.nonRetryable(sentence, type);
};

export function openDesk(entity: Entity): void {
  setHandler(messages.stateQuery, () => entity.view());
  setHandler(messages.beginUpdate, (request: RolloutRequest) => begin(entity, request), {
    validator: (request: RolloutRequest) => checkBegin(entity, request),
  });
  setHandler(messages.withdrawUpdate, (request: AbortRequest) => withdraw(entity, request));

  const onTrial = (word: string, act: (operation: Operation, message: OperatorMessage) => string) => ({
    handler: (message: OperatorMessage): string => {
      const said = act(meant(entity, word, message), message);
      entity.changed();
      return said;
    },
    validator: (message: OperatorMessage): void => void meant(entity, word, message),
  });
  const promote = onTrial('promote', (operation, { by, reason }) => {
    operation.promotion = { by, reason };
    operation.paused = false;
    entity.note(operation, `${by} promotes it: ${reason}`);
    operation.wake();
    return `Version ${operation.version ?? ''} is being promoted.`;
  });
  const pause = onTrial('pause', (operation, { by, reason }) => {
    if (operation.paused) return `Version ${operation.version ?? ''} is paused already.`;
    operation.paused = true;
    entity.note(operation, `paused by ${by}: ${reason}`);
    operation.wake();
    return `Version ${operation.version ?? ''} is paused at ${operation.comingWeightPercent} %.`;
  });
  const resume = onTrial('resume', (operation, { by, reason }) => {
    if (!operation.paused) return `Version ${operation.version ?? ''} is not paused.`;
    operation.paused = false;
    entity.note(operation, `resumed by ${by}: ${reason}`);
    operation.wake();
    return `Version ${operation.version ?? ''} goes on at ${operation.weightPercent} %.`;
  });
  const abort = onTrial('abort', (operation, { by, reason }) => {
    operation.requestStop({ by, reason: `Aborted by ${by}: ${sentence(reason)}`, revokes: true });
    return `Version ${operation.version ?? ''} is being taken off.`;
  });
  setHandler(messages.promoteUpdate, promote.handler, { validator: promote.validator });
  setHandler(messages.pauseUpdate, pause.handler, { validator: pause.validator });
  setHandler(messages.resumeUpdate, resume.handler, { validator: resume.validator });
  setHandler(messages.abortUpdate, abort.handler, { validator: abort.validator });
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

const find = (entity: Entity, operationId: string) =>
  entity.operation?.id === operationId || entity.waiting?.operationId === operationId;

function checkBegin(entity: Entity, request: RolloutRequest): void {
  if (request.model !== entity.model)
    refuse('InvalidInput', `This is the rollout of ${entity.model}, and not of ${request.model}.`);
  if (find(entity, request.operationId) || entity.finished.some((done) => done.operationId === request.operationId))
    return;
  const { operation, waiting } = entity;
  if (waiting !== undefined)
    refuse('RolloutRefused', `${describe(waiting)} waits to begin for ${entity.model}; try again once it has ended.`);
  if (operation === undefined || !operation.undecided) return;
  // One that recovers begins nothing, and a trial that came since is none of its business.
  if (request.kind === 'rollback' && operation.request.kind === 'deploy' && request.recovering !== true) return;
  refuse(
    'RolloutRefused',
    `${describe(operation.request)} of ${entity.model} is on its way (${operation.phase}); abort it, or wait until it ends.`,
  );
}

const describe = (request: RolloutRequest): string =>
  request.kind === 'deploy'
    ? `The rollout ${request.operationId} of version ${request.version}, asked for by ${request.by},`
    : `The rollback ${request.operationId}, asked for by ${request.by},`;

function begin(entity: Entity, request: RolloutRequest): BeginAnswer {
  const outcome = entity.finished.find((done) => done.operationId === request.operationId);
  if (outcome !== undefined) return { status: 'finished', outcome };
  if (find(entity, request.operationId)) return { status: 'joined' };
  checkBegin(entity, request);
  const { operation } = entity;
  if (operation?.undecided === true && isAboutAnother(request, operation))
    return { status: 'finished', outcome: new Operation(request, undefined).outcome('unchanged', isNotOn, null) };
  entity.waiting = request;
  if (request.kind === 'rollback' && operation?.undecided === true) {
    entity.waitingEnds = operation.id;
    operation.requestStop({
      by: request.by,
      reason: `Rolled back by ${request.by}: ${sentence(request.reason)}`,
      rollbackId: request.operationId,
      // A run that tidies up after itself has nothing against the version.
      revokes: request.ofRollout === null,
    });
  }
  entity.changed();
  return { status: 'accepted' };
}

/** A rollback as the teardown of one rollout does not touch another's. */
const isAboutAnother = (request: RolloutRequest, operation: Operation): boolean =>
  request.kind === 'rollback' && request.ofRollout !== null && request.ofRollout !== operation.id;
const isNotOn = 'The rollout is not on trial, another one is: nothing to do.';

function withdraw(entity: Entity, request: AbortRequest): { known: boolean } {
  const { operation, waiting } = entity;
  const reason = `Withdrawn by ${request.by}: ${sentence(request.reason)}`;
  if (operation?.id === request.operationId) {
    operation.requestStop({ by: request.by, reason });
    return { known: true };
  }
  if (waiting?.operationId === request.operationId) {
    entity.withdrawn = { by: request.by, reason };
    entity.changed();
    return { known: true };
  }
  return { known: false };
}

/** The operation that a message means; refuses one about another version, or one that comes too early or too late. */
function meant(entity: Entity, word: string, message: OperatorMessage): Operation {
  const { operation } = entity;
  if (typeof message?.version !== 'number' || !message.by || !message.reason)
    return refuse('InvalidInput', `${word} takes {"version": 7, "by": "who", "reason": "why"}.`);
  if (operation === undefined)
    return refuse('InvalidInput', `Nothing is being rolled out for ${entity.model}: there is nothing to ${word}.`);
  if (operation.version !== message.version)
    return refuse(
      'InvalidInput',
      `Version ${operation.version ?? 'unknown yet'} is being rolled out, and not version ${message.version}.`,
    );
  const inTime = operation.phase === 'trial' || (word === 'abort' && operation.phase === 'preparing');
  if (!inTime || operation.stop !== undefined)
    return refuse(
      'InvalidInput',
      `It is too ${operation.phase === 'preparing' ? 'early' : 'late'} to ${word}: ${phaseWords[operation.phase]}.`,
    );
  return operation;
}

const phaseWords = {
  preparing: 'the version is still coming up',
  trial: 'it is being stopped',
  committing: 'it is being promoted',
  aborting: 'it is being taken off',
  finishing: 'it has been decided',
} as const;
