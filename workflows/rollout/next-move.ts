// The rollout's decisions, as pure functions: what an operation's own past means, and what follows a look at the traffic.

import type { Look, RolloutRequest, Survey } from '../../activities/rollout/protocol.js';
import type { RolloutSettings } from '../../activities/schemas/rollout-settings.js';

/**
 * What an operation that begins finds of its own: this run may be the second one to conduct it.
 * - `fresh`: nothing, so it may begin
 * - `on-trial`: its challenger is named, and nobody watched it since: it is to be taken off
 * - `committed`: only the rolling forward may be missing
 * - `over`: it was rolled back, or it may not begin any more
 */
export type Past = 'fresh' | 'on-trial' | 'committed' | 'over';

export function readPast(survey: Survey, request: RolloutRequest): Past {
  const commits = request.kind === 'deploy' ? 'promote' : 'rollback';
  if (survey.own.some(({ change }) => change.kind === commits)) return 'committed';
  if (survey.state?.trial === request.operationId) return 'on-trial';
  if (survey.own.length > 0 || request.recovering === true) return 'over';
  return 'fresh';
}

export type NextMove =
  | { readonly kind: 'advance' }
  /** Watch the same weight for another while. */
  | { readonly kind: 'extend' }
  | { readonly kind: 'pause'; readonly reason: string }
  /** `verdict`: the traffic spoke against the challenger; `trouble` says nothing of it. */
  | { readonly kind: 'roll-back'; readonly reason: string; readonly because: 'verdict' | 'lease-expired' | 'trouble' };

/** What follows a look. Only a pass advances; everything that is not known to be good is watched on or rolled back. */
export function chooseNextMove(
  look: Look,
  so: { readonly paused: boolean; readonly extensions: number; readonly settings: RolloutSettings },
): NextMove {
  const rollBack = (reason: string, because: 'verdict' | 'lease-expired' | 'trouble' = 'trouble'): NextMove => ({
    kind: 'roll-back',
    reason,
    because,
  });
  switch (look.kind) {
    case 'lease-expired':
      return rollBack(
        `The lease ran out at router ${look.router}: nobody had watched the challenger for too long.`,
        'lease-expired',
      );
    case 'foreign':
      return rollBack(look.explanation);
    case 'challenger-died':
      return rollBack(look.explanation);
    case 'deadline':
      return rollBack(`The deadline passed. ${look.judgement.summary}`);
    case 'verdict':
      break;
  }
  const { verdict, summary } = look.judgement;
  if (verdict === 'fail') return rollBack(summary, 'verdict');
  // A pass while paused advances nothing: a person said so.
  if (so.paused || verdict === 'no-data') return { kind: 'extend' };
  if (verdict === 'pass') return { kind: 'advance' };
  if (so.extensions < so.settings.inconclusiveLimit) return { kind: 'extend' };
  const reason = `Still inconclusive after ${so.extensions + 1} looks. ${summary}`;
  return so.settings.onInconclusive === 'pause' ? { kind: 'pause', reason } : rollBack(reason);
}
