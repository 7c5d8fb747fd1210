// Keeps a version running that was launched: one that died comes up again, one that cannot be reached is not taken for dead.

import { SystemError } from '../../dag/failures.js';
import type { JobRef, JobState } from '../compute/port.js';
import type { HttpRouter } from './http-router.js';
import type { Launcher } from './launcher.js';
import { isHealthy } from './model-server.js';
import { backAt, hasEnded, isAbandoned, isSameJob, kept } from './record-changes.js';
import type { ServingRecord } from './record.js';
import type { RecordReading, ServingRecords } from './records.js';
import type { ServiceJobs } from './service-jobs.js';

/** What `ensureRunning` found or did. */
export type Upkeep =
  | { readonly did: 'nothing'; readonly healthy: boolean }
  | { readonly did: 'relaunched'; readonly epoch: number; readonly reason: string }
  /** Its host is away, or it was launched anew several times in a row: the next try waits. */
  | { readonly did: 'waits'; readonly waitMs: number; readonly lost: boolean; readonly reason: string }
  | { readonly did: 'finds it retired' }
  /** It was healthy and its process runs, but it fails its health check: it is launched anew where that goes on. */
  | { readonly did: 'finds it hanging'; readonly isBusy: boolean; readonly reason: string }
  /** Its host does not answer here, while gateways get answers from it: the trouble is here. */
  | { readonly did: 'leaves it'; readonly reason: string };

/** What whoever asks has seen of a version without a break until now, and for how long. */
export interface SeenTrouble {
  readonly kind: 'lost' | 'hangs';
  readonly forMs: number;
}

interface UpkeepOptions {
  readonly environment: string;
  readonly records: ServingRecords;
  readonly jobs: ServiceJobs;
  readonly launcher: Launcher;
  readonly routers: readonly HttpRouter[];
  readonly nowMs: () => number;
}

const stayCountsAfterMs = 600_000;
const longestRelaunchDelayMs = 60_000;
const lostMeansDeadAfterMs = 60_000;
/** As long as a gateway waits for an answer: a server that is merely busy has given one by then. */
const hangingMeansDeadAfterMs = 300_000;
/** A version that a gateway has got an answer from within this time lives. */
const answersCountForMs = 30_000;

export class VersionUpkeep {
  readonly #options: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /**
   * Launches a version anew that was ready and has died, with the next epoch; safe when several workers do it at once. A host
   * that is away is no proof of death: the version is launched elsewhere only where `seen` says that it has been away for longer
   * than a minute, no gateway gets answers from it, and another host has room; gateways keep its address until then. One
   * that was healthy and hangs is ended and launched anew after five minutes in which no gateway got an answer. Throws `NotFound` where the version was never launched here, `NoCapacity`.
   */
  async ensureRunning(model: string, version: number, seen?: SeenTrouble): Promise<Upkeep> {
    const found = await this.#options.records.read(model, version);
    if (found === undefined) throw this.#neverLaunched(model, version);
    if (found.record.phase === 'retired' || isAbandoned(found.record, this.#options.nowMs()))
      return { did: 'finds it retired' };
    if (found.record.phase === 'retiring') return { did: 'nothing', healthy: false };
    const reading = await this.#settlePredecessor(found);
    const { record } = reading;
    if (record.url !== null && (await isHealthy(record.url, record.launch.healthPath)))
      return { did: 'nothing', healthy: true };
    if (record.job === null) {
      await this.#options.launcher.submit(reading);
      return { did: 'nothing', healthy: false };
    }
    const job = await this.#options.jobs.state(record.job);
    if (job?.phase === 'running') {
      if (job.url !== undefined && job.url !== record.url && (await isHealthy(job.url, record.launch.healthPath)))
        await this.#options.launcher.noteHealthy(reading, job.url);
      else if (record.phase === 'running') return await this.#settleHanging(reading, { ref: record.job, job, seen });
      return { did: 'nothing', healthy: false };
    }
    const isLost = !hasEnded(job);
    const reason = await this.#options.jobs.whyFailed(record.job, job);
    const lostForMs = seen?.kind === 'lost' ? seen.forMs : 0;
    if (isLost && lostForMs < lostMeansDeadAfterMs)
      return { did: 'waits', waitMs: lostMeansDeadAfterMs - lostForMs, lost: true, reason };
    const sinceMs = this.#options.nowMs() - Date.parse(record.changedAt);
    const relaunches = relaunchesOfLate(record, this.#options.nowMs());
    const delayMs = relaunches === 0 ? 0 : Math.min(1_000 * 2 ** relaunches, longestRelaunchDelayMs);
    if (sinceMs < delayMs) return { did: 'waits', waitMs: delayMs - sinceMs, lost: false, reason };
    if (isLost && (await this.#answers(model, version, answersCountForMs)) === 'some')
      return { did: 'leaves it', reason };
    return this.#options.launcher.relaunch(reading, {
      reason,
      relaunches: relaunches + 1,
      lostHost: isLost ? record.job.host : null,
    });
  }

  /** Takes back that a version was retired, or was to be, as it was launched last. Throws as `ensureRunning` does. */
  async revive(model: string, version: number): Promise<Upkeep> {
    const reading = await this.#options.records.change(model, version, (current) =>
      current !== undefined && isAbandoned(current, this.#options.nowMs()) ? kept(current) : current,
    );
    if (reading === undefined) throw this.#neverLaunched(model, version);
    if (reading.record.phase !== 'retired') return { did: 'nothing', healthy: false };
    return this.#options.launcher.relaunch(reading, { reason: 'It had been retired.', relaunches: 0, lostHost: null });
  }

  #neverLaunched(model: string, version: number): SystemError {
    return new SystemError(
      'NotFound',
      `Version ${version} of ${model} has no serving record in ${this.#options.environment}, so it cannot be launched anew: run canary-deploy or rollback for it.`,
    );
  }

  /** Ends one that hangs for good, so that it makes room; from there on it is one that died. */
  async #settleHanging(
    reading: RecordReading,
    { ref, job, seen }: { ref: JobRef; job: JobState; seen: SeenTrouble | undefined },
  ): Promise<Upkeep> {
    const { model, version } = reading.record;
    const reason = `It runs on ${ref.host} and fails its health check.`;
    const isDue = seen?.kind === 'hangs' && seen.forMs >= hangingMeansDeadAfterMs;
    const answers = isDue ? await this.#answers(model, version, hangingMeansDeadAfterMs) : 'unknown';
    if (answers !== 'none') return { did: 'finds it hanging', isBusy: answers === 'some', reason };
    const why = `${reason} ${await this.#options.jobs.whyFailed(ref, job)}`;
    await this.#options.jobs.end(ref);
    const relaunches = relaunchesOfLate(reading.record, this.#options.nowMs()) + 1;
    return this.#options.launcher.relaunch(reading, { reason: why, relaunches, lostHost: null });
  }

  /** Whether gateways have got answers from the version of late, wherever it runs; `unknown` where none of them tells. */
  async #answers(model: string, version: number, windowMs: number): Promise<'some' | 'none' | 'unknown'> {
    const { routers } = this.#options;
    const ask = (router: HttpRouter) => router.measure({ model, version, windowMs }).catch(() => undefined);
    const known = (await Promise.all(routers.map(ask))).filter((window) => window !== undefined);
    if (known.length === 0 && routers.length > 0) return 'unknown';
    return known.some(({ requests, errors }) => requests > errors) ? 'some' : 'none';
  }

  /** A server whose host is back before its successor has answered stays; one that proves to have ended is forgotten. */
  async #settlePredecessor(reading: RecordReading): Promise<RecordReading> {
    const { model, version, epoch, job, predecessor, url, launch } = reading.record;
    if (predecessor === null || url === null) return reading;
    const state = await this.#options.jobs.state(predecessor);
    const isBack = state?.phase === 'running' && state.url === url && (await isHealthy(url, launch.healthPath));
    if (!isBack && !hasEnded(state)) return reading;
    const settled = await this.#options.records.change(model, version, (current) => {
      if (current?.epoch !== epoch || !isSameJob(current.predecessor, predecessor)) return current;
      return isBack ? backAt(current, predecessor) : { ...current, url: null, predecessor: null };
    });
    if (isSameJob(settled?.record.job, predecessor)) await this.#options.jobs.removeIfThere(job);
    return settled ?? reading;
  }
}

/** A successful stay starts the count again. */
const relaunchesOfLate = ({ changedAt, relaunches }: ServingRecord, nowMs: number): number =>
  nowMs - Date.parse(changedAt) > stayCountsAfterMs ? 0 : relaunches;
