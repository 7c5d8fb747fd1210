// One operation that a rollout conducts: a deploy or a rollback, with all that is known about it.

import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { MoveAuthor, RolloutPhase, RolloutRequest } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';

/** Why an operation ends before its commit. */
export interface Stop {
  readonly by: string;
  readonly reason: string;
  /** The rollback that asked for it: its id is on the write, so that it finds its own work again. */
  readonly rollbackId?: string;
  /** It speaks against the version itself: no run rolls it out again by itself. */
  readonly revokes?: boolean;
}

export class Operation {
  readonly startedAtMs = Date.now();
  /** Everything before the commit runs in it; to cancel it is to stop the operation. */
  readonly scope = new CancellationScope();
  phase: RolloutPhase = 'preparing';
  paused = false;
  stop: Stop | undefined;
  /** An operator wants it promoted at once. */
  promotion: { readonly by: string; readonly reason: string } | undefined;
  /** Wakes the look at the traffic that is under way, to take up a message. */
  look: CancellationScope | undefined;
  version: number | null;
  generation: number | null = null;
  weightPercent = 0;
  /** What is being written, before its answer: who pauses it now pauses it there. */
  comingWeightPercent = 0;
  /** A service may have been started for it. */
  launched = false;
  /** A write is under way whose answer may be lost. */
  uncertain = false;
  /** The endpoint cannot be read, so that what is left to do waits for somebody to mend it. */
  endpointLost = false;
  note = '';
  weights: RolloutOutcome['weights'] = [];
  private writes = 0;

  /** `ended`: the operation that this request stopped, to take its place. */
  constructor(
    readonly request: RolloutRequest,
    readonly ended: string | undefined,
  ) {
    this.version = request.kind === 'deploy' ? request.version : request.toVersion;
  }

  get id(): string {
    return this.request.operationId;
  }

  /** Still undecided: it can be stopped, and nobody else may begin. */
  get undecided(): boolean {
    return this.phase === 'preparing' || this.phase === 'trial' || this.phase === 'committing';
  }

  /**
   * The id of each write is decided before the write, and the same whenever the workflow is replayed; the run's id in it
   * keeps apart what an earlier run of the workflow wrote for the same operation. (Its end: the beginning of a UUIDv7 is a
   * time, which two runs can share.)
   */
  nextWrite(author?: Stop): MoveAuthor {
    this.writes++;
    const run = workflowInfo().firstExecutionRunId.slice(-12);
    const owner = author?.rollbackId === undefined ? `${this.id}/` : `${author.rollbackId}/ends-`;
    return {
      writeId: `${owner}${this.writes}-${run}`,
      by: author?.by ?? this.promotion?.by ?? this.request.by,
      reason: author?.reason ?? this.promotion?.reason ?? this.request.reason,
    };
  }

  /** Ends it before its commit; `false` where it is too late for that. */
  requestStop(stop: Stop): boolean {
    if (this.phase !== 'preparing' && this.phase !== 'trial') return false;
    // A rollback that comes on top of a cancellation still means the version.
    this.stop = { ...stop, ...this.stop, revokes: this.stop?.revokes === true || stop.revokes === true };
    this.scope.cancel();
    return true;
  }

  /** Takes up what a message changed, where a look at the traffic is under way. */
  wake(): void {
    this.look?.cancel();
  }

  outcome(
    outcome: RolloutOutcome['outcome'],
    reason: string,
    endpoint: { readonly champion: number | null; readonly generation: number } | null,
  ): RolloutOutcome {
    return {
      operationId: this.id,
      kind: this.request.kind,
      outcome,
      model: this.request.model,
      version: this.version,
      champion: endpoint?.champion ?? null,
      generation: endpoint?.generation ?? null,
      reason,
      weights: this.weights,
      startedAt: new Date(this.startedAtMs).toISOString(),
      endedAt: new Date(Date.now()).toISOString(),
    };
  }
}
