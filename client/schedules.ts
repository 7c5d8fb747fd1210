// Keeps Temporal Schedules as a project wants them: creates, updates and deletes Pawl's own, and touches no others.

import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import { SystemError } from '../dag/failures.js';
import type { Json } from '../dag/graph.js';
import { compareSchedules, type ScheduleChange } from './compare-schedules.js';
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

const scheduleId = ({ environment }: ScheduleScope, name: string): string => `pawl/${environment}/${name}`;

const resolve = (wanted: WantedSchedule): ResolvedSchedule => ({
  ...wanted,
  overlap: wanted.overlap ?? 'buffer-one',
  catchupWindowMs: wanted.catchupWindowMs ?? defaultCatchupWindowMs,
});

/**
 * Brings the schedules of an environment's task queue to what is wanted, or with `dryRun` only says what would change.
 * Idempotent. A person's pause of a schedule stays. Throws `InvalidInput` for a duplicate name or a cron that Temporal refuses.
 */
export async function applySchedules(
  client: Client,
  scope: ScheduleScope,
  wanted: readonly WantedSchedule[],
  options: { readonly dryRun?: boolean } = {},
): Promise<readonly ScheduleChange[]> {
  const resolved = wanted.map(resolve);
  const changes = compareSchedules(await ownSchedules(client, scope), resolved);
  if (options.dryRun !== true) for (const change of changes) await carryOut(client, scope, change);
  return changes;
}

/** Pawl's schedules of this scope, as they were applied. */
export async function ownSchedules(client: Client, scope: ScheduleScope): Promise<readonly ResolvedSchedule[]> {
  const own: ResolvedSchedule[] = [];
  const prefix = scheduleId(scope, '');
  for await (const { scheduleId: id, memo } of client.schedule.list()) {
    if (!id.startsWith(prefix) || !isOwn(scope, memo)) continue;
    try {
      const { action } = await client.schedule.getHandle(id).describe();
      own.push(action.memo?.pawlSchedule as ResolvedSchedule);
    } catch (error) {
      // The list is a little behind: it has been deleted since.
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }
  return own;
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

async function carryOut(client: Client, scope: ScheduleScope, change: ScheduleChange): Promise<void> {
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

async function create(client: Client, scope: ScheduleScope, schedule: ResolvedSchedule): Promise<void> {
  const id = scheduleId(scope, schedule.name);
  try {
    await client.schedule.create({ scheduleId: id, memo: { pawl: { ...scope } }, ...definition(scope, schedule) });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    // The list of schedules is a little behind: it may be ours, applied a moment ago.
    const { memo } = await client.schedule.getHandle(id).describe();
    if (!isOwn(scope, memo))
      throw new SystemError(
        'Conflict',
        `A schedule ${id} exists that does not belong to task queue ${scope.taskQueue}: rename yours.`,
        { cause: error },
      );
    await update(client, scope, schedule);
  }
}

async function update(client: Client, scope: ScheduleScope, schedule: ResolvedSchedule): Promise<void> {
  const handle = client.schedule.getHandle(scheduleId(scope, schedule.name));
  await handle.update(({ state }): ScheduleUpdateOptions => ({ ...definition(scope, schedule), state }));
}

function isOwn(scope: ScheduleScope, memo: Record<string, unknown> | undefined): boolean {
  const owner = memo?.pawl as Partial<ScheduleScope> | undefined;
  return owner?.environment === scope.environment && owner.taskQueue === scope.taskQueue;
}

const invalidArgument = 3;

/** Temporal's reason lies below gRPC's; `undefined` where it refused nothing, but was away, say. */
function refusalOf(error: unknown): string | undefined {
  // The SDK gives the server's words as a TypeError when a schedule is made, without the answer that held them.
  if (error instanceof TypeError && error.cause === undefined) return error.message;
  const { code, details } = ((error as Error).cause ?? {}) as { code?: number; details?: string };
  return code === invalidArgument ? (details ?? String(error)) : undefined;
}

function definition(
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
