// What the rollout of one endpoint knows: the operation that is under way, the one that waits, what is left to do, what ended.

import type { RolloutRequest, RolloutView } from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { Chores, type ChoresLeft } from './chores.js';
import type { Operation, Stop } from './operation.js';

export interface RolloutInput {
  readonly environment: string;
  readonly model: string;
  /** What an earlier run of the workflow left. */
  readonly carried?: Carried;
}

export interface Carried {
  readonly waiting: RolloutRequest | null;
  readonly waitingEnds?: string;
  readonly withdrawn?: Stop;
  readonly finished: readonly RolloutOutcome[];
  readonly chores: ChoresLeft;
}

/** Enough for every requester that may still ask. */
const keptOutcomes = 20;

export class Entity {
  readonly environment: string;
  readonly model: string;
  readonly chores: Chores;
  operation: Operation | undefined;
  waiting: RolloutRequest | undefined;
  /** The operation that the waiting request stopped, to take its place. */
  waitingEnds: string | undefined;
  /** The waiting request is no longer wanted. */
  withdrawn: Stop | undefined;
  finished: RolloutOutcome[];

  constructor(
    input: RolloutInput,
    readonly changed: () => void,
  ) {
    this.environment = input.environment;
    this.model = input.model;
    this.chores = new Chores(input.model, changed);
    this.waiting = input.carried?.waiting ?? undefined;
    this.waitingEnds = input.carried?.waitingEnds;
    this.withdrawn = input.carried?.withdrawn;
    this.finished = [...(input.carried?.finished ?? [])];
    if (input.carried !== undefined) this.chores.resume(input.carried.chores);
  }

  get isIdle(): boolean {
    return this.operation === undefined && this.waiting === undefined && this.chores.isDone;
  }

  note(operation: Operation, note: string): void {
    operation.note = note;
    this.changed();
  }

  finish(outcome: RolloutOutcome): void {
    this.finished = [...this.finished, outcome].slice(-keptOutcomes);
    this.operation = undefined;
    this.changed();
  }

  view(): RolloutView {
    const { operation } = this;
    return {
      environment: this.environment,
      model: this.model,
      operation:
        operation === undefined
          ? null
          : {
              operationId: operation.id,
              kind: operation.request.kind,
              version: operation.version,
              phase: operation.phase,
              paused: operation.paused,
              weightPercent: operation.weightPercent,
              generation: operation.generation,
              note: operation.note,
              by: operation.request.by,
              startedAt: new Date(operation.startedAtMs).toISOString(),
            },
      waiting: this.waiting?.operationId ?? null,
      weights: operation?.weights ?? this.finished.at(-1)?.weights ?? [],
      chores: this.chores.describe(),
      finished: this.finished,
    };
  }
}
