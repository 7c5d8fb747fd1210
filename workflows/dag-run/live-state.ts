// What a run knows about its steps: read by the planner, the `state` query, the run's details and the run record.

import type { StepRecord } from '../../activities/engine/run-record-schema.js';
import type { Json, StepState, StepStatus } from '../../dag/graph.js';
import { outcomeIn } from './outcome.js';

/** Outputs up to this many characters of JSON stand in the run record as they are. */
const maxRecordedOutput = 4_000;

interface LiveStep {
  status: StepStatus;
  startedAtMs?: number;
  endedAtMs?: number;
  attempts?: number;
  output?: Json;
  /** The step's own word for what came of it. */
  outcome?: string;
  reason?: string;
  failureType?: string;
}

export type Settlement = Pick<StepState, 'status' | 'output' | 'reason'> & { attempts?: number; failureType?: string };

export class LiveState {
  private readonly steps = new Map<string, LiveStep>();
  private changed = new Set<string>();
  private readonly counts = new Map<StepStatus, number>();
  /** Rises with every change. */
  revision = 0;

  constructor(ids: readonly string[]) {
    for (const id of ids) this.put(id, { status: 'waiting' });
  }

  start(id: string): void {
    this.put(id, { status: 'running', startedAtMs: Date.now() });
  }

  /** A word about a step that is under way: what it waits for. */
  note(id: string, reason: string | undefined): void {
    const { reason: _, ...rest } = this.get(id);
    this.put(id, reason === undefined ? rest : { ...rest, reason });
  }

  settle(id: string, settlement: Settlement): void {
    const { startedAtMs } = this.get(id);
    const times = startedAtMs === undefined ? {} : { startedAtMs, endedAtMs: Date.now() };
    const outcome = settlement.output === undefined ? undefined : outcomeIn(settlement.output);
    this.put(id, { ...settlement, ...times, ...(outcome === undefined ? {} : { outcome }) });
  }

  get(id: string): Readonly<LiveStep> {
    const step = this.steps.get(id);
    return step ?? { status: 'waiting' };
  }

  count(...statuses: readonly StepStatus[]): number {
    return statuses.reduce((sum, status) => sum + (this.counts.get(status) ?? 0), 0);
  }

  /** By step id, in the graph's order. */
  get states(): ReadonlyMap<string, Readonly<LiveStep>> {
    return this.steps;
  }

  get dirty(): boolean {
    return this.changed.size > 0;
  }

  /** The records of the steps that changed since the last call. */
  takeChanged(): Record<string, StepRecord> {
    const records = Object.fromEntries([...this.changed].map((id) => [id, recordOf(this.get(id))]));
    this.changed = new Set();
    return records;
  }

  /** The records of all steps. */
  takeAll(): Record<string, StepRecord> {
    this.changed = new Set(this.steps.keys());
    return this.takeChanged();
  }

  private put(id: string, step: LiveStep): void {
    const before = this.steps.get(id);
    if (before !== undefined) this.counts.set(before.status, (this.counts.get(before.status) ?? 1) - 1);
    this.counts.set(step.status, (this.counts.get(step.status) ?? 0) + 1);
    this.steps.set(id, step);
    this.changed.add(id);
    this.revision++;
  }
}

/** A value for the run record: whole where it is small, else its size. */
export function outputReference(output: Json): NonNullable<StepRecord['output']> {
  const text = JSON.stringify(output);
  return text.length <= maxRecordedOutput ? { value: output } : { sizeBytes: text.length };
}

const isoOf = (atMs: number): string => new Date(atMs).toISOString();

function recordOf(step: Readonly<LiveStep>): StepRecord {
  return {
    status: step.status,
    ...(step.startedAtMs === undefined ? {} : { startedAt: isoOf(step.startedAtMs) }),
    ...(step.endedAtMs === undefined ? {} : { endedAt: isoOf(step.endedAtMs) }),
    ...(step.attempts === undefined ? {} : { attempts: step.attempts }),
    ...(step.output === undefined ? {} : { output: outputReference(step.output) }),
    ...(step.outcome === undefined ? {} : { outcome: step.outcome }),
    ...(step.reason === undefined ? {} : { reason: step.reason }),
    ...(step.failureType === undefined ? {} : { failureType: step.failureType }),
  };
}
