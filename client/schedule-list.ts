// The schedules of an environment as Temporal has them: what was applied, and how they stand.

import { ScheduleNotFoundError, type Client } from '@temporalio/client';
import { ownerOf, scheduleId, type ResolvedSchedule, type ScheduleScope } from './schedule-definition.js';

/** A schedule of Pawl's, and how it stands; times in ISO 8601. */
export interface ScheduleStatus {
  readonly schedule: ResolvedSchedule;
  /** Who applied it: nobody else changes or deletes it. `models`: `pawl schedules apply`. */
  readonly owner: string;
  /** When its next run is due: null where it is paused or never due again. */
  readonly nextAt: string | null;
  readonly paused: boolean;
  /** Workflow ids of its runs that are under way. */
  readonly running: readonly string[];
  /** How often a run was due and not begun, because others were under way or waiting. */
  readonly skipped: number;
  /** How often a run was due while Temporal was away for longer than `catchupWindowMs`. */
  readonly missed: number;
}

/** Pawl's schedules of this scope, whoever owns them. */
export async function listSchedules(client: Client, scope: ScheduleScope): Promise<readonly ScheduleStatus[]> {
  const found: ScheduleStatus[] = [];
  const prefix = scheduleId(scope, '');
  for await (const { scheduleId: id, memo } of client.schedule.list()) {
    const owner = ownerOf(scope, memo);
    if (!id.startsWith(prefix) || owner === undefined) continue;
    try {
      const { action, info, state } = await client.schedule.getHandle(id).describe();
      const [next] = info.nextActionTimes;
      found.push({
        schedule: action.memo?.pawlSchedule as ResolvedSchedule,
        owner,
        nextAt: state.paused || next === undefined ? null : next.toISOString(),
        paused: state.paused,
        running: info.runningActions.map(({ workflow }) => workflow.workflowId),
        skipped: info.numActionsSkippedOverlap,
        missed: info.numActionsMissedCatchupWindow,
      });
    } catch (error) {
      // The list is a little behind: it has been deleted since.
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }
  return found;
}
