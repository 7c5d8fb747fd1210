// What becomes of a serving record when a version is launched, found healthy, lost, or given back. Pure: GatewayServing writes it.

import { SystemError } from '../../dag/failures.js';
import type { JobRef, JobState } from '../compute/port.js';
import type { LaunchRequest } from './port.js';
import type { ServingRecord } from './record.js';

const gatewaysHaveReadMs = 5 * 60_000;

/** Certainly: a host that is away may still run it. */
export const hasEnded = (job: JobState | undefined): boolean =>
  job === undefined || job.phase === 'exited' || (job.phase === 'lost' && job.gone === true);

export const isWanted = ({ phase }: ServingRecord): boolean => phase === 'launching' || phase === 'running';

export const isSameJob = (one: JobRef | null | undefined, other: JobRef): boolean =>
  one?.compute === other.compute && one.host === other.host && one.key === other.key && one.epoch === other.epoch;

/** The record after a launch was asked for; the current one where there is something to join. Throws `Unavailable`. */
export function requested(
  current: ServingRecord | undefined,
  request: LaunchRequest,
  { environment, nowMs }: { environment: string; nowMs: number },
): ServingRecord {
  const { model, version, key, modelField, ...launch } = request;
  const next = {
    schema: 1 as const,
    environment,
    model,
    version,
    key,
    earlierKeys: earlierKeys(current, key),
    epoch: (current?.epoch ?? 0) + 1,
    phase: 'launching' as const,
    launch: {
      artifact: launch.artifact,
      command: [...launch.command],
      compute: launch.compute,
      wants: launch.wants,
      environment: launch.environment,
      healthPath: launch.healthPath,
    },
    modelField: modelField ?? { kind: 'remove' as const },
    job: null,
    url: null,
    predecessor: null,
    relaunches: 0,
    retireBy: null,
    changedAt: '',
  };
  if (current === undefined || current.phase === 'retired') return next;
  if (current.phase !== 'retiring') return current;
  if (!isAbandoned(current, nowMs))
    throw new SystemError(
      'Unavailable',
      `Version ${version} of ${model} is being retired at the moment: it can be launched again after that.`,
    );
  return next;
}

const earlierKeys = (current: ServingRecord | undefined, key: string): string[] =>
  current === undefined ? [] : [...new Set([...current.earlierKeys, current.key])].filter((each) => each !== key);

/** A server that has ended is forgotten; one that is merely away keeps its address until its successor answers. */
export function launchedAnew(record: ServingRecord, how: { relaunches: number; isLost: boolean }): ServingRecord {
  const isAway = how.isLost && record.url !== null;
  const predecessor = record.predecessor ?? (isAway ? record.job : null);
  return {
    ...record,
    epoch: record.epoch + 1,
    phase: 'launching',
    job: null,
    url: predecessor === null ? null : record.url,
    predecessor,
    relaunches: how.relaunches,
  };
}

/** The epoch moves on, so that a successor whose submission is on its way finds itself unwanted. */
export const backAt = (record: ServingRecord, predecessor: JobRef): ServingRecord => ({
  ...record,
  epoch: record.epoch + 1,
  phase: 'running',
  job: predecessor,
  predecessor: null,
});

export const healthyAt = (record: ServingRecord, url: string): ServingRecord => ({
  ...record,
  url,
  predecessor: null,
  phase: record.phase === 'launching' ? 'running' : record.phase,
});

export const retiring = (record: ServingRecord, retireBy: string): ServingRecord => ({
  ...record,
  phase: 'retiring',
  retireBy,
});

/** It is wanted after all. */
export const kept = (record: ServingRecord): ServingRecord => ({
  ...record,
  phase: record.url !== null && record.predecessor === null ? 'running' : 'launching',
  retireBy: null,
});

export const retired = (record: ServingRecord): ServingRecord => ({
  ...record,
  phase: 'retired',
  job: null,
  url: null,
  predecessor: null,
  retireBy: null,
});

/** Whoever began to retire it has had time enough, and is gone. */
export const isAbandoned = ({ phase, retireBy }: ServingRecord, nowMs: number): boolean =>
  phase === 'retiring' && (retireBy === null || Date.parse(retireBy) <= nowMs);

/**
 * Whether a job was launched for this record and can never be named by it again. A record that changed a moment ago gives
 * nothing up yet: gateways may still ask at the address that stood there before.
 */
export function hasGivenUp(record: ServingRecord, job: JobRef, nowMs: number): boolean {
  if (record.key !== job.key && !record.earlierKeys.includes(job.key)) return false;
  if (nowMs - Date.parse(record.changedAt) < gatewaysHaveReadMs) return false;
  if (isSameJob(record.job, job) || isSameJob(record.predecessor, job)) return false;
  const isOnItsWay = isWanted(record) && record.job === null && record.key === job.key && record.epoch === job.epoch;
  return !isOnItsWay;
}
