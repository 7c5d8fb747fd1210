// A challenger's trial: launched, ready, probed, named, and then given traffic weight by weight for as long as nothing speaks
// against it. Returns when the commit is due; throws for everything else. It never writes after its lease was lost.

import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DeployRequest, Foreign, LeaseLost, Look, Move } from '../../activities/rollout/protocol.js';
import type { Traffic } from '../../stats/canary-rule.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { effects, observer, patient, timely, underLease as leased } from './activities.js';
import type { Entity } from './entity.js';
import { failureReason, isOutOfTime } from './failure-reason.js';
import { chooseNextMove } from './next-move.js';
import type { Operation } from './operation.js';

/** Thrown where the lease ran out: that is written down as `expire`. */
export const leaseExpired = 'LeaseExpired';

/** Thrown where the challenger itself was found wanting: it is not tried again by itself. */
export const challengerFailed = 'ChallengerFailed';

/** The trial's end before a commit: one sentence, and what kind of end it is. */
export const endTrial = (
  reason: string,
  kind: 'TrialEnded' | typeof leaseExpired | typeof challengerFailed = 'TrialEnded',
): ApplicationFailure => ApplicationFailure.nonRetryable(reason, kind);

const lost = (answer: LeaseLost | Foreign): ApplicationFailure =>
  answer.kind === 'foreign'
    ? endTrial(answer.explanation)
    : endTrial(
        `The lease ran out at router ${answer.router}: nobody had watched the challenger for too long.`,
        leaseExpired,
      );

/** Makes sure that a version can answer. Idempotent; `judge` holds the probe against the absolute rules. */
export async function bringUp(entity: Entity, operation: Operation, version: number, judge: boolean): Promise<void> {
  const { model } = entity;
  const { settings } = operation.request;
  await entity.chores.keep(version);
  entity.note(operation, `launching version ${version}`);
  operation.launched = true;
  const key = `${operation.id}.v${version}`;
  await effects(`launch version ${version}`).launchVersion({ model, version, key });
  entity.note(operation, `waiting until version ${version} is ready`);
  await patient(`version ${version} becomes ready`, settings.readyTimeoutMs + 60_000).awaitReady({
    model,
    version,
    timeoutMs: settings.readyTimeoutMs,
  });
  entity.note(operation, `probing version ${version}`);
  const probed = await patient(`probe version ${version}`, 600_000).probeVersion({ model, version, settings, judge });
  entity.note(operation, probed);
}

/** One write to the endpoint, under the lease where the challenger has traffic: it is given up when a lease is over. */
export async function moveUnderLease(operation: Operation, move: Move, underLease: boolean): Promise<EndpointState> {
  const { request } = operation;
  const summary = move.kind === 'weight' ? `weight ${move.weightPercent} %` : move.kind;
  operation.uncertain = true;
  const calls = underLease ? leased(summary, request.settings.leaseMs) : effects(summary);
  const answer = await calls
    .moveEndpoint({
      ...operation.nextWrite(),
      model: request.model,
      trial: operation.id,
      move,
      overGeneration: operation.generation ?? 0,
      leaseMs: request.settings.leaseMs,
      underLease,
    })
    .catch((error: unknown) => {
      if (!underLease || !isOutOfTime(error)) throw error;
      throw endTrial(
        `The lease ran out before the endpoint could be moved (${summary}): ${failureReason(error)}`,
        leaseExpired,
      );
    });
  operation.uncertain = false;
  if (answer.kind !== 'moved') throw lost(answer);
  operation.generation = answer.state.generation;
  return answer.state;
}

/** Gives the challenger its weights, one by one; `champion` is what it is compared with. */
export async function runTrial(
  entity: Entity,
  operation: Operation,
  request: DeployRequest,
  champion: number,
): Promise<void> {
  const { settings, model, version } = request;
  const windowMs = Math.min(settings.pauseMs, 600_000);
  let baseline = await effects(`what version ${champion} does`).measureBaseline({ model, version: champion, windowMs });

  await moveUnderLease(operation, { kind: 'trial', version }, false);
  operation.comingWeightPercent = settings.weights[0] ?? 0;
  operation.phase = 'trial';
  entity.changed();
  entity.chores.mirrorAliases(operation.generation ?? 0);
  await acknowledge(operation);
  for (const weightPercent of settings.weights) {
    if (operation.promotion !== undefined) return;
    operation.comingWeightPercent = weightPercent;
    await moveUnderLease(operation, { kind: 'weight', weightPercent }, true);
    operation.weightPercent = weightPercent;
    entity.note(operation, `watching version ${version} at ${weightPercent} %`);
    await acknowledge(operation);
    baseline = await watchWeight(entity, operation, { request, champion, baseline });
  }
}

/** Every router has come to the generation and holds the lease for it. */
async function acknowledge(operation: Operation): Promise<void> {
  const { model, settings } = operation.request;
  const answer = await timely('routers', Math.max(30_000, settings.leaseMs)).acknowledgeTrial({
    model,
    trial: operation.id,
    generation: operation.generation ?? 0,
    leaseMs: settings.leaseMs,
  });
  if (answer.kind !== 'held') throw lost(answer);
}

const endKinds = { trouble: 'TrialEnded', 'lease-expired': leaseExpired, verdict: challengerFailed } as const;

interface Watch {
  readonly request: DeployRequest;
  readonly champion: number;
  readonly baseline: Traffic | null;
}

/** Watches one weight until it passes; answers the champion's traffic to compare later weights with. */
async function watchWeight(entity: Entity, operation: Operation, watch: Watch): Promise<Traffic | null> {
  const { settings } = watch.request;
  const startedAtMs = Date.now();
  let dueAfterMs = settings.pauseMs;
  let extensions = 0;
  let last: Look | undefined;
  while (operation.promotion === undefined) {
    const elapsedMs = Date.now() - startedAtMs;
    const wasPaused = operation.paused;
    const look = await lookOnce(operation, { ...watch, dueAfterMs, elapsedMs, tally: last?.tally ?? null });
    if (look === undefined) {
      // A message woke it. Whoever resumes wants a fresh look, not the verdict that led to the pause.
      if (wasPaused && !operation.paused) extensions = 0;
      // The tally of the look that was broken off is lost, so the next one counts the last two chunks of the weight at most.
      last = undefined;
      continue;
    }
    last = look;
    record(operation, look);
    entity.note(operation, look.judgement.summary);
    const next = chooseNextMove(look, { paused: operation.paused, extensions, settings });
    switch (next.kind) {
      case 'advance':
        return pickBaseline(watch, look);
      case 'roll-back':
        throw endTrial(next.reason, endKinds[next.because]);
      case 'pause':
        operation.paused = true;
        entity.note(operation, `${next.reason} It waits for promote, resume or abort.`);
        break;
      case 'extend':
        extensions++;
        dueAfterMs = Date.now() - startedAtMs + settings.pauseMs;
        break;
    }
  }
  return watch.baseline;
}

interface LookAt extends Watch {
  readonly dueAfterMs: number;
  readonly elapsedMs: number;
  readonly tally: Look['tally'] | null;
}

/** One long look; `undefined` when a message broke it off. */
async function lookOnce(operation: Operation, at: LookAt): Promise<Look | undefined> {
  const { settings, model, version } = at.request;
  const deadlineInMs = Math.max(0, operation.startedAtMs + settings.deadlineMs - Date.now());
  const scope = new CancellationScope();
  operation.look = scope;
  const summary = `watch version ${version} at ${operation.weightPercent} %${operation.paused ? ', paused' : ''}`;
  try {
    return await scope.run(() =>
      observer(summary, { leaseMs: settings.leaseMs, deadlineInMs }).observeTrial({
        model,
        trial: operation.id,
        generation: operation.generation ?? 0,
        leaseMs: settings.leaseMs,
        challenger: version,
        champion: at.champion,
        settings,
        weightPercent: operation.weightPercent,
        dueAfterMs: at.dueAfterMs,
        elapsedMs: at.elapsedMs,
        deadlineInMs,
        paused: operation.paused,
        tally: at.tally,
        baseline: at.baseline,
      }),
    );
  } catch (error) {
    if (isCancellation(error) && scope.consideredCancelled && operation.stop === undefined) return undefined;
    throw error;
  } finally {
    operation.look = undefined;
  }
}

/** Looks at one weight are counted from its start, so the last one stands for all of them. */
function record(operation: Operation, look: Look): void {
  const entry = {
    weightPercent: operation.weightPercent,
    verdict: look.kind === 'verdict' ? look.judgement.verdict : look.kind,
    explanation: look.judgement.summary,
    requests: look.tally.challenger?.requests ?? 0,
    errors: look.tally.challenger?.errors ?? 0,
  };
  const others = operation.weights.filter(({ weightPercent }) => weightPercent !== operation.weightPercent);
  operation.weights = [...others, entry];
}

const pickBaseline = ({ request, baseline }: Watch, look: Look): Traffic | null => {
  const { champion } = look.tally;
  return champion !== null && champion.requests >= request.settings.minRequests ? champion : baseline;
};
