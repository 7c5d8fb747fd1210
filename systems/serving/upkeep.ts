// Keeps a version running that was launched: one that died comes up again, one that cannot be reached is not taken for dead.

import { SystemError } from '../../dag/failures.js';
import type { HttpRouter } from './http-router.js';
import type { Launcher } from './launcher.js';
import { isHealthy } from './model-server.js';
import { backAt, hasEnded, isAbandoned, isSameJob, kept } from './record-changes.js';
import type { RecordReading, ServingRecords } from './records.js';
import type { ServiceJobs } from './service-jobs.js';

/** What `ensureRunning` found or did. */
export type Upkeep =
  | { readonly did: 'nothing'; readonly healthy: boolean }
  | { readonly did: 'relaunched'; readonly epoch: number; readonly reason: string }
  /** Its host is away, or it was launched anew several times in a row: the next try waits. */
  | { readonly did: 'waits'; readonly waitMs: number; readonly lost: boolean; readonly reason: string }
  | { readonly did: 'finds it retired' }
  /** Its host does not answer here, while gateways get answers from it: the trouble is here. */
  | { readonly did: 'leaves it'; readonly reason: string };

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
/** A version that a gateway has got an answer from within this time lives. */
const answersCountForMs = 30_000;

export class VersionUpkeep {
  readonly #options: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /**
   * Launches a version anew that was ready and has died, with the next epoch; safe when several workers do it at once. A host
   * that is away is no proof of death: the version is launched elsewhere only where `lostForMs` says that it has been away
   * for longer than a minute, no gateway gets answers from it, and another host has room; gateways keep its address until
   * then. Throws `NotFound` where the version was never launched here, `NoCapacity`.
   */
  async ensureRunning(model: string, version: number, lostForMs = 0): Promise<Upkeep> {
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
      return { did: 'nothing', healthy: false };
    }
    const isLost = !hasEnded(job);
    const reason = await this.#options.jobs.whyFailed(record.job, job);
    if (isLost && lostForMs < lostMeansDeadAfterMs)
      return { did: 'waits', waitMs: lostMeansDeadAfterMs - lostForMs, lost: true, reason };
    const sinceMs = this.#options.nowMs() - Date.parse(record.changedAt);
    const relaunches = sinceMs > stayCountsAfterMs ? 0 : record.relaunches;
    const delayMs = relaunches === 0 ? 0 : Math.min(1_000 * 2 ** relaunches, longestRelaunchDelayMs);
    if (sinceMs < delayMs) return { did: 'waits', waitMs: delayMs - sinceMs, lost: false, reason };
    if (isLost && (await this.#givesAnswers(model, version))) return { did: 'leaves it', reason };
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

  /** Whether a gateway has got answers from the version of late, wherever it runs. */
  async #givesAnswers(model: string, version: number): Promise<boolean> {
    // One that does not answer knows nothing.
    const ask = (router: HttpRouter) =>
      router.measure({ model, version, windowMs: answersCountForMs }).catch(() => undefined);
    const windows = await Promise.all(this.#options.routers.map(ask));
    return windows.some((window) => window !== undefined && window.requests > window.errors);
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
