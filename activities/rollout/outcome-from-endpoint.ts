// What the endpoint alone says of an operation: for one that nobody conducts any more, and for one that is only tried out.

import { describeRevocation, revocationOf } from '../../systems/endpoint/revocations.js';
import type { Systems } from '../../systems/systems.js';
import type { RolloutOutcome } from '../schemas/rollout-outcome.js';
import type { RolloutRequest } from './protocol.js';
import { surveyEndpoint } from './survey.js';

/** How an operation ended whose workflow is gone and whose place another one has taken. */
export async function concludeRollout(systems: Systems, request: RolloutRequest): Promise<RolloutOutcome> {
  const { state, own } = await surveyEndpoint(systems.endpoints, request);
  const committed = own.findLast(({ change }) => change.kind === 'promote' || change.kind === 'rollback');
  const version = committed?.champion ?? (request.kind === 'deploy' ? request.version : request.toVersion);
  const [outcome, reason] =
    committed !== undefined
      ? ([
          request.kind === 'deploy' ? 'promoted' : 'rolled-back',
          'It was decided before its workflow was ended.',
        ] as const)
      : ([
          request.kind === 'deploy' ? 'rolled-back' : 'failed',
          'Its workflow was ended from outside, and another rollout has taken its place.',
        ] as const);
  return describeOutcome(request, { outcome, reason, version, state });
}

/** Says what a request would do, and does nothing. Throws `NotFound` for a version that is not registered. */
export async function planRollout(systems: Systems, request: RolloutRequest): Promise<RolloutOutcome> {
  const { model, settings } = request;
  const state = (await systems.endpoints.read(model))?.state ?? null;
  const version = request.kind === 'deploy' ? request.version : (request.toVersion ?? state?.previous ?? null);
  if (version !== null) await systems.registry.version(model, version);
  const serves = state?.champion == null ? 'nothing is served' : `version ${state.champion} is served`;
  const trial = state?.challenger == null ? '' : `, and version ${state.challenger} is on trial`;
  const now = `Dry run: ${serves}${trial}.`;
  return describeOutcome(request, { outcome: 'stopped', reason: `${now} ${plan()}`, version, state });

  function plan(): string {
    if (request.kind === 'deploy') {
      if (state?.champion === version) return `Version ${version} is the champion already: nothing would happen.`;
      const revocation = revocationOf(state, version);
      if (revocation !== undefined && !request.again)
        return `Version ${version} was ${describeRevocation(revocation)} Nothing would happen.`;
      if (state?.challenger != null) return 'The request would be refused while that trial is on.';
      if (state?.champion == null) return `Version ${version} would be probed, and become the first champion.`;
      const minutes = Math.round((settings.weights.length * settings.pauseMs) / 60_000);
      return `Version ${version} would get ${settings.weights.join(', ')} % of the traffic, in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'} or more, and then all of it.`;
    }
    if (state?.challenger != null && (request.toVersion === null || request.toVersion === state.champion))
      return `The trial of version ${state.challenger} would be aborted; version ${state.champion ?? ''} would stay.`;
    if (state?.champion == null) return 'There is nothing to roll back.';
    if (version === null) return 'No previous version is known: name one with toVersion (pawl rollback --to).';
    if (version === state.champion) return `Version ${version} is the champion already: nothing would happen.`;
    const revocation = revocationOf(state, version);
    if (request.toVersion === null && revocation !== undefined)
      return `It would be refused: version ${version}, the previous one, was ${describeRevocation(revocation)} Name one with toVersion (pawl rollback --to).`;
    return `Version ${version} would be launched where it is not running, probed, and become the champion again.`;
  }
}

function describeOutcome(
  request: RolloutRequest,
  so: {
    outcome: RolloutOutcome['outcome'];
    reason: string;
    version: number | null;
    state: { champion: number | null; generation: number } | null;
  },
): RolloutOutcome {
  const now = new Date().toISOString();
  const { operationId, kind, model } = request;
  return {
    operationId,
    kind,
    model,
    outcome: so.outcome,
    reason: so.reason,
    version: so.version,
    champion: so.state?.champion ?? null,
    generation: so.state?.generation ?? null,
    weights: [],
    startedAt: now,
    endedAt: now,
  };
}
