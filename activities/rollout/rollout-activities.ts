// The activities of the rollout's workflows, composed from the systems and a client.

import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Systems } from '../../systems/systems.js';
import { report } from '../engine/signs-of-life.js';
import { awaitReady, launchVersion, probeVersion, type Pulse } from './bring-up.js';
import { measureBaseline, mirrorAliases, retireVersion } from './forward.js';
import { moveForRollout, takeOffChallenger } from './move.js';
import { observeTrial, type ObserverContext, type ObserverMemory } from './observe.js';
import { concludeRollout, planRollout } from './outcome-from-endpoint.js';
import type { RequestActivities, RolloutActivities } from './protocol.js';
import { readRolloutRequest } from './read-request.js';
import { RolloutDesk } from './requests.js';
import { acknowledgeTrial, syncRouters } from './routers.js';
import { surveyEndpoint } from './survey.js';

type All = RolloutActivities & RequestActivities;
/** A mapped type and no interface, so that it can stand where any record of activities can. */
type AsRecord<T> = { [Name in keyof T]: T[Name] };

/** `client` is the Temporal client by which requests reach the rollout's workflow. */
export function createRolloutActivities(composed: { systems: Systems; client: Client }): AsRecord<All> {
  const { systems, client } = composed;
  const desk = new RolloutDesk(client, systems.environment);
  return {
    surveyEndpoint: (request) => surveyEndpoint(systems.endpoints, request),
    launchVersion: (request) => launchVersion(systems, request),
    awaitReady: (request) => awaitReady(systems, request, pulse()),
    probeVersion: (request) => probeVersion(systems, request, pulse()),
    measureBaseline: (request) => measureBaseline(systems, request),
    moveEndpoint: (request) => moveForRollout(systems, request),
    takeOffChallenger: (request) => takeOffChallenger(systems, request),
    acknowledgeTrial: (request) => acknowledgeTrial(systems.serving, request),
    observeTrial: (request) => observeTrial(systems, request, observer()),
    syncRouters: (request) => syncRouters(systems.serving, request),
    mirrorAliases: (request) => mirrorAliases(systems, request),
    retireVersion: (request) => retireVersion(systems, request, pulse()),
    readRolloutRequest: async (envelope) =>
      readRolloutRequest(envelope, Context.current().info.workflowExecution?.workflowId ?? ''),
    beginRollout: (request) => desk.begin(request),
    abortRollout: (request) => desk.withdraw(request),
    checkRollout: (request) => desk.check(request),
    concludeRollout: (request) => concludeRollout(systems, request),
    planRollout: (request) => planRollout(systems, request),
  };
}

function pulse(): Pulse {
  const context = Context.current();
  return { signal: context.cancellationSignal, beat: (details) => report(context, details) };
}

function observer(): ObserverContext {
  const context = Context.current();
  return {
    signal: context.cancellationSignal,
    memory: context.info.heartbeatDetails as ObserverMemory | undefined,
    beat: (memory) => report(context, memory),
    warn(message, error) {
      context.log.warn(message, { error: error instanceof Error ? error.message : String(error) });
    },
  };
}
