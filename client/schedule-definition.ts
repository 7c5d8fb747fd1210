// What a schedule of Pawl's is: as it is wanted, with its defaults, and as Temporal is told.

import { ScheduleOverlapPolicy, type ScheduleOptions } from '@temporalio/client';
import type { Json } from '../dag/graph.js';
import { keyword } from './search-attributes.js';

export interface WantedSchedule {
  /** Unique within the environment: the model's name, or the DAG's. */
  readonly name: string;
  readonly dag: string;
  /** What each run is started with. */
  readonly params: { readonly [key: string]: Json };
  /** Five fields, or `@daily` and its like. */
  readonly cron: string;
  /** IANA: `Europe/Berlin`. */
  readonly timezone: string;
  /** `buffer-one` unless set: the next run waits for the one before it, and none is lost to one that is stuck for a while. */
  readonly overlap?: 'skip' | 'buffer-one' | 'buffer-all' | 'cancel-other';
  /** How late a run may start when Temporal was away at its time; six hours unless set (Temporal's own default is a year). */
  readonly catchupWindowMs?: number;
}

export interface ScheduleScope {
  readonly environment: string;
  readonly taskQueue: string;
}

/** A schedule with its defaults filled in: what is compared. */
export type ResolvedSchedule = Required<WantedSchedule>;

const overlaps = {
  skip: ScheduleOverlapPolicy.SKIP,
  'buffer-one': ScheduleOverlapPolicy.BUFFER_ONE,
  'buffer-all': ScheduleOverlapPolicy.BUFFER_ALL,
  'cancel-other': ScheduleOverlapPolicy.CANCEL_OTHER,
} as const;

const defaultCatchupWindowMs = 6 * 3_600_000;

export const scheduleId = ({ environment }: ScheduleScope, name: string): string => `pawl/${environment}/${name}`;

/** With its defaults. */
export const resolveSchedule = (wanted: WantedSchedule): ResolvedSchedule => ({
  ...wanted,
  overlap: wanted.overlap ?? 'buffer-one',
  catchupWindowMs: wanted.catchupWindowMs ?? defaultCatchupWindowMs,
});

interface PawlMemo extends ScheduleScope {
  readonly owner: string;
}

/** What a schedule says of whose it is. */
export const memoOf = ({ environment, taskQueue }: ScheduleScope, owner: string): { readonly pawl: PawlMemo } => ({
  pawl: { environment, taskQueue, owner },
});

/** Who applied a schedule; undefined where Pawl did not make it for this environment and task queue. */
export function ownerOf(scope: ScheduleScope, memo: Record<string, unknown> | undefined): string | undefined {
  const found = memo?.pawl as Partial<PawlMemo> | undefined;
  return found?.environment === scope.environment && found.taskQueue === scope.taskQueue ? found.owner : undefined;
}

/** In Temporal's words. */
export function definition(
  { environment, taskQueue }: ScheduleScope,
  schedule: ResolvedSchedule,
): Pick<ScheduleOptions, 'spec' | 'action' | 'policies'> {
  const { name, dag, params, cron, timezone, overlap, catchupWindowMs } = schedule;
  const { model } = params;
  return {
    spec: { cronExpressions: [cron], timezone },
    policies: { overlap: overlaps[overlap], catchupWindow: catchupWindowMs, pauseOnFailure: false },
    action: {
      type: 'startWorkflow',
      workflowType: dag,
      // Temporal puts the scheduled time behind it.
      workflowId: `${dag}/${environment}/${name}`,
      taskQueue,
      args: [params],
      memo: { pawlSchedule: schedule },
      staticSummary: `${dag} · ${name} · schedule`,
      typedSearchAttributes: [
        { key: keyword('PawlDag'), value: dag },
        { key: keyword('PawlEnvironment'), value: environment },
        { key: keyword('PawlTrigger'), value: 'schedule' },
        ...(typeof model === 'string' ? [{ key: keyword('PawlModel'), value: model }] : []),
      ],
    },
  };
}
