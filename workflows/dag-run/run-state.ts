// The answer to the `state` query: where a run and each of its steps stand, without their outputs.

import type { Admission } from '../../activities/engine/protocol.js';
import type { RunIdentity } from '../../dag/context.js';
import type { StepStatus } from '../../dag/graph.js';
import type { LiveState } from './live-state.js';
import type { RunEnd } from './run-end.js';

export interface RunState {
  readonly run: RunIdentity;
  readonly model: string | null;
  readonly status: 'running' | RunEnd['status'];
  readonly outcome: string | null;
  readonly message: string | null;
  readonly graphDigest: string;
  readonly steps: readonly {
    readonly id: string;
    readonly status: StepStatus;
    readonly startedAt: string | null;
    readonly endedAt: string | null;
    readonly attempts: number | null;
    /** What the step says itself in a field `outcome` of its output. */
    readonly outcome: string | null;
    readonly reason: string | null;
  }[];
}

const isoOf = (atMs: number | undefined): string | null => (atMs === undefined ? null : new Date(atMs).toISOString());

export function describeState(admission: Admission, live: LiveState, end: RunEnd | undefined): RunState {
  return {
    run: admission.run,
    model: admission.model ?? null,
    status: end?.status ?? 'running',
    outcome: end?.outcome ?? null,
    message: end === undefined || end.status === 'completed' ? null : end.message,
    graphDigest: admission.graph.digest,
    steps: [...live.states].map(([id, step]) => ({
      id,
      status: step.status,
      startedAt: isoOf(step.startedAtMs),
      endedAt: isoOf(step.endedAtMs),
      attempts: step.attempts ?? null,
      outcome: step.outcome ?? null,
      reason: step.reason ?? null,
    })),
  };
}
