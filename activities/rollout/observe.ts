// The long look at a challenger: renews the lease at every router, without S3, and says what the traffic says as soon as it
// can be said. It writes nothing. While it lives the challenger may have its share; when it dies the lease runs out.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';
import { judgeCanary, type CanaryJudgement } from '../../stats/canary.js';
import type { Systems } from '../../systems/systems.js';
import type { Foreign, LeaseLost, Look, ObserveRequest, Tally } from './protocol.js';
import { asAnswer, renew } from './routers.js';
import { addToTally, chooseBaseline, chunkMs, emptyTally, isCovered } from './tally.js';

/** What a later attempt goes on from, when this one's worker dies. */
export interface ObserverMemory {
  readonly startedAtMs: number;
  readonly chunkStartedAtMs: number;
  readonly closed: Tally;
  readonly summary: string;
}

export interface ObserverContext {
  readonly signal: AbortSignal;
  readonly memory: ObserverMemory | undefined;
  beat(memory: ObserverMemory): void;
  warn(message: string, error: unknown): void;
}

const nothingYet: CanaryJudgement = {
  verdict: 'no-data',
  rules: [],
  summary: 'The traffic has not been looked at yet.',
};

/** Throws only an abort, or a defect: systems that are away are looked at again. */
export async function observeTrial(systems: Systems, request: ObserveRequest, context: ObserverContext): Promise<Look> {
  const { settings, leaseMs } = request;
  const beginMs = Date.now();
  const elapsedBefore = context.memory === undefined ? request.elapsedMs : beginMs - context.memory.startedAtMs;
  const startedAtMs = beginMs - elapsedBefore;
  // The workflow's clock and this one agree on durations, not on the time of day.
  const deadlineAtMs = startedAtMs + request.elapsedMs + request.deadlineInMs;
  const carried = request.tally ?? emptyTally;
  let closed = context.memory?.closed ?? carried;
  let chunkStartedAtMs =
    context.memory?.chunkStartedAtMs ?? Math.max(startedAtMs + carried.watchedMs, beginMs - 2 * chunkMs);
  let tally = closed;
  let judgement = nothingYet;

  const lease = new LeaseKeeper(systems, request, context);
  const renewEveryMs = Math.min(leaseMs / 4, 10_000);
  let renewAtMs = 0;
  let lookAtMs = 0;
  for (;;) {
    context.signal.throwIfAborted();
    if (performance.now() >= renewAtMs) {
      renewAtMs = performance.now() + renewEveryMs;
      const lost = await lease.renew();
      if (lost !== undefined) return { ...lost, tally, judgement };
    }
    if (performance.now() >= lookAtMs) {
      lookAtMs = performance.now() + settings.analysisIntervalMs;
      const gone = await lookAtChallenger(systems, request, context);
      if (gone !== undefined) return { ...gone, tally, judgement };
      const windowMs = Math.max(1, Date.now() - chunkStartedAtMs);
      const measured = await measure(systems, request, { windowMs, context });
      if (measured !== undefined) {
        tally = addToTally(closed, { ...measured, windowMs });
        if (windowMs >= chunkMs) {
          closed = tally;
          chunkStartedAtMs = Date.now();
        }
        const due = !request.paused && Date.now() - startedAtMs >= request.dueAfterMs && isCovered(tally);
        judgement = judge(request, tally, due);
        const { verdict } = judgement;
        if (verdict === 'fail' || (due && verdict !== 'no-data')) return { kind: 'verdict', tally, judgement };
      }
    }
    if (Date.now() >= deadlineAtMs) return { kind: 'deadline', tally, judgement };
    context.beat({ startedAtMs, chunkStartedAtMs, closed, summary: judgement.summary });
    const nextMs = Math.min(renewAtMs, lookAtMs) - performance.now();
    const untilDeadlineMs = Math.max(1, deadlineAtMs - Date.now());
    await sleep(Math.max(1, Math.min(nextMs, untilDeadlineMs, 2_000)), undefined, { signal: context.signal });
  }
}

function judge(request: ObserveRequest, tally: Tally, due: boolean): CanaryJudgement {
  const { rules, minRequests } = request.settings;
  const champion = chooseBaseline(tally.champion, request.baseline, minRequests);
  return judgeCanary({ rules, minRequests, challenger: tally.challenger ?? undefined, champion, due });
}

/** Metrics that do not answer are not the same as no data: the look is left out. */
async function measure(
  systems: Systems,
  { model, challenger, champion }: ObserveRequest,
  { windowMs, context }: { windowMs: number; context: ObserverContext },
) {
  try {
    const [of, against] = await Promise.all([
      systems.metrics.measure({ model, version: challenger, windowMs }),
      systems.metrics.measure({ model, version: champion, windowMs }),
    ]);
    return { challenger: of, champion: against };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    context.warn('the metrics did not answer', error);
    return undefined;
  }
}

type Gone = { kind: 'challenger-died'; explanation: string } | Foreign;

/** Whether the challenger is still there, and the endpoint still this rollout's. Away is not gone. */
async function lookAtChallenger(
  systems: Systems,
  { model, challenger, generation }: ObserveRequest,
  context: ObserverContext,
): Promise<Gone | undefined> {
  try {
    const state = await systems.serving.state(model, challenger);
    if (state.phase === 'failed')
      return { kind: 'challenger-died', explanation: `Version ${challenger} of ${model} died: ${state.reason}` };
    if (state.phase === 'absent')
      return { kind: 'challenger-died', explanation: `Version ${challenger} of ${model} is no longer launched.` };
    const current = (await systems.endpoints.read(model))?.state;
    if (current?.generation === generation) return undefined;
    const by = current === undefined ? 'it is gone' : `${current.change.kind} by ${current.change.by}`;
    return { kind: 'foreign', explanation: `Somebody else moved the endpoint of ${model}: ${by}.` };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.type === 'Corrupt') return { kind: 'foreign', explanation: error.message };
    context.warn('the serving layer or the endpoint did not answer', error);
    return undefined;
  }
}

/** Renews router by router, and remembers when each last answered: one that cannot be reached loses the lease by itself. */
class LeaseKeeper {
  /** When each router last held the lease, or was first heard of. */
  private readonly heldAtMs = new Map<string, number>();
  private routersKnownAtMs = performance.now();

  constructor(
    private readonly systems: Systems,
    private readonly request: ObserveRequest,
    private readonly context: ObserverContext,
  ) {}

  async renew(): Promise<LeaseLost | Foreign | undefined> {
    try {
      const routers = await this.systems.serving.routers();
      this.routersKnownAtMs = performance.now();
      const answers = await Promise.all(
        routers.map(async (router) => {
          const askedMs = performance.now();
          try {
            const answer = asAnswer(router, await renew(router, this.request), this.request);
            if (answer.kind === 'held') this.heldAtMs.set(router.id, askedMs);
            return answer;
          } catch (error) {
            if (!(error instanceof SystemError)) throw error;
            this.context.warn(`router ${router.id} could not be asked for the lease`, error);
            return this.isOver(this.lastHeldMs(router.id))
              ? { kind: 'lease-expired' as const, router: router.id }
              : undefined;
          }
        }),
      );
      return (
        answers.find((answer): answer is Foreign => answer?.kind === 'foreign') ??
        answers.find((answer): answer is LeaseLost => answer?.kind === 'lease-expired')
      );
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.context.warn('the routers are not known', error);
      return this.isOver(this.routersKnownAtMs)
        ? { kind: 'lease-expired', router: this.systems.serving.name }
        : undefined;
    }
  }

  private lastHeldMs(routerId: string): number {
    const known = this.heldAtMs.get(routerId);
    if (known !== undefined) return known;
    const nowMs = performance.now();
    this.heldAtMs.set(routerId, nowMs);
    return nowMs;
  }

  private isOver(heldAtMs: number): boolean {
    return performance.now() - heldAtMs > this.request.leaseMs;
  }
}
