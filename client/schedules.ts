// Keeps Temporal Schedules as a project wants them: creates, updates and deletes Pawl's own, and touches no others.

import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import { SystemError } from '../dag/failures.js';
import { compareSchedules, type ScheduleChange } from './compare-schedules.js';
import {
  definition,
  memoOf,
  ownerOf,
  resolveSchedule,
  scheduleId,
  type ResolvedSchedule,
  type ScheduleScope,
  type WantedSchedule,
} from './schedule-definition.js';
import { listSchedules } from './schedule-list.js';

export interface ApplyOptions extends ScheduleScope {
  /**
   * Whose schedules these are: a program's or a team's name. What the owner applied before and wants no more is deleted; those of
   * other owners stay as they are. `models` is taken: it is `pawl schedules apply`, for what the models' files say.
   */
  readonly owner: string;
  /** Only say what would change. */
  readonly dryRun?: boolean;
}

/**
 * Brings an owner's schedules in an environment's task queue to what is wanted, or with `dryRun` only says what would change.
 * Idempotent. A person's pause of a schedule stays. Throws `Conflict`, before anything is changed, for a name that another owner
 * has; and `InvalidInput` for a cron that Temporal refuses, which it says only when it is told of the schedule: those before it
 * in the list are as wanted by then, and those behind it as they were.
 */
export async function applySchedules(
  client: Client,
  wanted: readonly WantedSchedule[],
  options: ApplyOptions,
): Promise<readonly ScheduleChange[]> {
  const { owner, environment, taskQueue } = options;
  const scope = { environment, taskQueue, owner };
  const resolved = wanted.map(resolveSchedule);
  const existing = await listSchedules(client, scope);
  const wantedNames = new Set(resolved.map(({ name }) => name));
  const taken = existing.find(({ schedule, owner: other }) => other !== owner && wantedNames.has(schedule.name));
  if (taken !== undefined) throw conflict(scope, taken.schedule.name, taken.owner);
  const changes = compareSchedules(
    existing.filter((status) => status.owner === owner).map(({ schedule }) => schedule),
    resolved,
  );
  if (options.dryRun !== true) for (const change of changes) await carryOut(client, scope, change);
  return changes;
}

/** Starts a schedule's next run now; it waits where one is running. Throws `NotFound`. */
export async function runScheduleNow(client: Client, scope: ScheduleScope, name: string): Promise<void> {
  try {
    // Said here, since Temporal's default for a trigger is to let runs overlap.
    await client.schedule.getHandle(scheduleId(scope, name)).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    throw new SystemError('NotFound', `No schedule ${name} in ${scope.environment}: "pawl schedules" lists them.`, {
      cause: error,
    });
  }
}

interface OwnedScope extends ScheduleScope {
  readonly owner: string;
}

async function carryOut(client: Client, scope: OwnedScope, change: ScheduleChange): Promise<void> {
  try {
    switch (change.kind) {
      case 'unchanged':
        return;
      case 'create':
        return await create(client, scope, change.after);
      case 'update':
        return await update(client, scope, change.after);
      case 'delete':
        await client.schedule.getHandle(scheduleId(scope, change.name)).delete();
    }
  } catch (error) {
    if (error instanceof SystemError) throw error;
    if (error instanceof ScheduleNotFoundError && change.kind === 'delete') return;
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    throw new SystemError('InvalidInput', `Temporal refused schedule ${change.name}: ${refusal}`, { cause: error });
  }
}

async function create(client: Client, scope: OwnedScope, schedule: ResolvedSchedule): Promise<void> {
  const id = scheduleId(scope, schedule.name);
  try {
    await client.schedule.create({ scheduleId: id, memo: memoOf(scope, scope.owner), ...definition(scope, schedule) });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    // The list of schedules is a little behind: it may be ours, applied a moment ago.
    const { memo } = await client.schedule.getHandle(id).describe();
    const owner = ownerOf(scope, memo);
    if (owner !== scope.owner) throw conflict(scope, schedule.name, owner);
    await update(client, scope, schedule);
  }
}

async function update(client: Client, scope: ScheduleScope, schedule: ResolvedSchedule): Promise<void> {
  const handle = client.schedule.getHandle(scheduleId(scope, schedule.name));
  await handle.update(({ state }): ScheduleUpdateOptions => ({ ...definition(scope, schedule), state }));
}

const conflict = (scope: ScheduleScope, name: string, owner: string | undefined): SystemError =>
  new SystemError(
    'Conflict',
    `The schedule ${scheduleId(scope, name)} belongs to ${owner === undefined ? `none of task queue ${scope.taskQueue}` : `the owner ${JSON.stringify(owner)}`}: give yours another name.`,
  );

const invalidArgument = 3;

/** Temporal's reason lies below gRPC's; `undefined` where it refused nothing, but was away, say. */
function refusalOf(error: unknown): string | undefined {
  // The SDK gives the server's words as a TypeError when a schedule is made, without the answer that held them.
  if (error instanceof TypeError && error.cause === undefined) return error.message;
  const { code, details } = ((error as Error).cause ?? {}) as { code?: number; details?: string };
  return code === invalidArgument ? (details ?? String(error)) : undefined;
}
