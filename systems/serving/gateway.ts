// Serving through Pawl's gateways: versions run as services of a compute system, serving records tell the gateways where.
// Every step is written down by compare-and-set before and after its effect, so that any of them can be done again.

import { SystemError } from '../../dag/failures.js';
import type { ComputeSystems, JobRef, JobState } from '../compute/port.js';
import type { ObjectStore } from '../object-store/port.js';
import { drain } from './drain.js';
import { HttpRouter } from './http-router.js';
import { isHealthy, probeServer } from './model-server.js';
import type { LaunchRequest, ProbeResult, ReplicaState, RetireOptions, Router, Serving } from './port.js';
import {
  backAt,
  hasEnded,
  hasGivenUp,
  healthyAt,
  isAbandoned,
  isSameJob,
  isWanted,
  kept,
  launchedAnew,
  requested,
  retired,
  retiring,
} from './record-changes.js';
import type { ServingRecord } from './record.js';
import { ServingRecords, type RecordReading } from './records.js';
import { serveJob } from './serve-program.js';

export interface GatewayServingOptions {
  readonly environment: string;
  readonly objects: ObjectStore;
  readonly compute: ComputeSystems;
  /** The gateways' admin addresses. */
  readonly routerUrls: readonly string[];
  readonly token?: string | undefined;
  /** How long one question of a probe may take; 60 s unless set. */
  readonly probeTimeoutMs?: number;
  /** How often a drain looks; 200 ms unless set. */
  readonly drainPollMs?: number;
  readonly now?: () => Date;
}

/** What `ensureRunning` found or did. */
export type Upkeep =
  | { readonly did: 'nothing'; readonly healthy: boolean }
  | { readonly did: 'relaunched'; readonly epoch: number; readonly reason: string }
  /** Its host is away, or it was launched anew several times in a row: the next try waits. */
  | { readonly did: 'waits'; readonly waitMs: number; readonly lost: boolean; readonly reason: string }
  | { readonly did: 'finds it retired' }
  /** Its host does not answer here, while gateways get answers from it: the trouble is here. */
  | { readonly did: 'leaves it'; readonly reason: string };

const logTailBytes = 2_000;
const stayCountsAfterMs = 600_000;
const longestRelaunchDelayMs = 60_000;
const lostMeansDeadAfterMs = 60_000;
/** A version that a gateway has got an answer from within this time lives. */
const answersCountForMs = 30_000;
/** Beyond the drain: what whoever retires a version may take to remove it, before somebody else finishes the work. */
const retireSpareMs = 30_000;
const writesAtMost = 8;

export class GatewayServing implements Serving {
  readonly name = 'gateway';
  readonly #options: GatewayServingOptions;
  readonly #records: ServingRecords;
  readonly #routers: readonly HttpRouter[];

  constructor(options: GatewayServingOptions) {
    this.#options = options;
    this.#records = new ServingRecords(options);
    this.#routers = options.routerUrls.map((url) => new HttpRouter({ url, token: options.token }));
  }

  async routers(): Promise<readonly Router[]> {
    return this.#routers;
  }

  /** Also throws `Unavailable` while the version is being retired, and what `Compute.submit` throws. */
  async launch(request: LaunchRequest): Promise<void> {
    const { environment } = this.#options;
    const reading = await this.#change(request.model, request.version, (current) =>
      requested(current, request, { environment, nowMs: this.#now().getTime() }),
    );
    if (reading.record.job === null) await this.#submit(reading);
    else await this.#restartDead(reading, reading.record.job, request.key);
  }

  async state(model: string, version: number): Promise<ReplicaState> {
    const reading = await this.#records.read(model, version);
    if (reading === undefined || reading.record.phase === 'retired') return { phase: 'absent' };
    const { record } = reading;
    const { healthPath } = record.launch;
    if (record.url !== null && (await isHealthy(record.url, healthPath))) return { phase: 'ready', url: record.url };
    if (record.job === null) return { phase: 'starting' };
    const job = await this.#jobState(record.job);
    if (hasEnded(job)) return { phase: 'failed', reason: await this.#whyFailed(record.job, job) };
    if (job?.phase !== 'running' || job.url === undefined || !(await isHealthy(job.url, healthPath)))
      return { phase: 'starting' };
    return this.#noteHealthy(reading, job.url);
  }

  async probe(
    model: string,
    version: number,
    probe: { path: string; bodies: readonly string[] },
  ): Promise<ProbeResult> {
    const reading = await this.#records.read(model, version);
    const url = reading?.record.url ?? undefined;
    if (reading === undefined || url === undefined)
      throw new SystemError(
        'Unavailable',
        `Version ${version} of ${model} is not ready to be probed: launch it and wait.`,
      );
    const timeoutMs = this.#options.probeTimeoutMs ?? 60_000;
    return probeServer({ url, modelField: reading.record.modelField }, { ...probe, timeoutMs });
  }

  async retire(model: string, version: number, { drainMs, isWanted }: RetireOptions): Promise<boolean> {
    const reading = await this.#change(model, version, (current) => {
      if (current === undefined || current.phase === 'retired') return undefined;
      if (current.phase === 'retiring') return current;
      return retiring(current, new Date(this.#now().getTime() + drainMs + retireSpareMs).toISOString());
    });
    if (reading === undefined) return true;
    const { job, epoch, predecessor } = reading.record;
    const moveOn = (next: (current: ServingRecord) => ServingRecord): Promise<RecordReading | undefined> =>
      this.#change(model, version, (current) =>
        current?.epoch === epoch && current.phase === 'retiring' ? next(current) : current,
      );
    if ((await isWanted?.()) === true) {
      await moveOn(kept);
      return false;
    }
    const drained = await drain(this.#routers, { model, version, drainMs, pollMs: this.#options.drainPollMs ?? 200 });
    if (drained === 'still routed') {
      await moveOn(kept);
      throw new SystemError('Unavailable', `Version ${version} of ${model} stays: a gateway still sends it requests.`);
    }
    // Somebody else may have kept it, or launched it again, meanwhile.
    if ((await moveOn((current) => current))?.record.phase !== 'retiring') return false;
    if (job !== null) await this.#options.compute.get(job.compute).remove(job);
    await this.#removeIfThere(predecessor);
    return (await moveOn(retired))?.record.phase === 'retired';
  }

  async launched(model: string): Promise<readonly number[]> {
    const records = await this.#records.list(model);
    return records.filter(({ phase }) => phase !== 'retired').map(({ version }) => version);
  }

  async isWanted(service: JobRef): Promise<boolean> {
    for await (const record of this.#records.all())
      if (hasGivenUp(record, service, this.#now().getTime())) return false;
    return true;
  }

  /** As `launched`, for one version: however many there have been, one record is read. */
  async isLaunched(model: string, version: number): Promise<boolean> {
    const reading = await this.#records.read(model, version);
    return reading !== undefined && reading.record.phase !== 'retired';
  }

  /**
   * Launches a version anew that was ready and has died, with the next epoch; safe when several workers do it at once. A host
   * that is away is no proof of death: the version is launched elsewhere only where `lostForMs` says that it has been away
   * for longer than a minute, no gateway gets answers from it, and another host has room; gateways keep its address until
   * then. Throws `NotFound` where the version was never launched here, `NoCapacity`.
   */
  async ensureRunning(model: string, version: number, lostForMs = 0): Promise<Upkeep> {
    const found = await this.#records.read(model, version);
    if (found === undefined) throw this.#neverLaunched(model, version);
    if (found.record.phase === 'retired' || isAbandoned(found.record, this.#now().getTime()))
      return { did: 'finds it retired' };
    if (found.record.phase === 'retiring') return { did: 'nothing', healthy: false };
    const reading = await this.#settlePredecessor(found);
    const { record } = reading;
    if (record.url !== null && (await isHealthy(record.url, record.launch.healthPath)))
      return { did: 'nothing', healthy: true };
    if (record.job === null) {
      await this.#submit(reading);
      return { did: 'nothing', healthy: false };
    }
    const job = await this.#jobState(record.job);
    if (job?.phase === 'running') {
      if (job.url !== undefined && job.url !== record.url && (await isHealthy(job.url, record.launch.healthPath)))
        await this.#noteHealthy(reading, job.url);
      return { did: 'nothing', healthy: false };
    }
    const isLost = !hasEnded(job);
    const reason = await this.#whyFailed(record.job, job);
    if (isLost && lostForMs < lostMeansDeadAfterMs)
      return { did: 'waits', waitMs: lostMeansDeadAfterMs - lostForMs, lost: true, reason };
    const sinceMs = this.#now().getTime() - Date.parse(record.changedAt);
    const relaunches = sinceMs > stayCountsAfterMs ? 0 : record.relaunches;
    const delayMs = relaunches === 0 ? 0 : Math.min(1_000 * 2 ** relaunches, longestRelaunchDelayMs);
    if (sinceMs < delayMs) return { did: 'waits', waitMs: delayMs - sinceMs, lost: false, reason };
    if (isLost && (await this.#givesAnswers(model, version))) return { did: 'leaves it', reason };
    return this.#relaunch(reading, { reason, relaunches: relaunches + 1, lostHost: isLost ? record.job.host : null });
  }

  /** Takes back that a version was retired, or was to be, as it was launched last. Throws as `ensureRunning` does. */
  async revive(model: string, version: number): Promise<Upkeep> {
    const reading = await this.#change(model, version, (current) =>
      current !== undefined && isAbandoned(current, this.#now().getTime()) ? kept(current) : current,
    );
    if (reading === undefined) throw this.#neverLaunched(model, version);
    if (reading.record.phase !== 'retired') return { did: 'nothing', healthy: false };
    return this.#relaunch(reading, { reason: 'It had been retired.', relaunches: 0, lostHost: null });
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
    const windows = await Promise.all(this.#routers.map(ask));
    return windows.some((window) => window !== undefined && window.requests > window.errors);
  }

  /** A server whose host is back before its successor has answered stays; one that proves to have ended is forgotten. */
  async #settlePredecessor(reading: RecordReading): Promise<RecordReading> {
    const { model, version, epoch, job, predecessor, url, launch } = reading.record;
    if (predecessor === null || url === null) return reading;
    const state = await this.#jobState(predecessor);
    const isBack = state?.phase === 'running' && state.url === url && (await isHealthy(url, launch.healthPath));
    if (!isBack && !hasEnded(state)) return reading;
    const settled = await this.#change(model, version, (current) => {
      if (current?.epoch !== epoch || !isSameJob(current.predecessor, predecessor)) return current;
      return isBack ? backAt(current, predecessor) : { ...current, url: null, predecessor: null };
    });
    if (isSameJob(settled?.record.job, predecessor)) await this.#removeIfThere(job);
    return settled ?? reading;
  }

  async #relaunch(
    reading: RecordReading,
    how: { reason: string; relaunches: number; lostHost: string | null },
  ): Promise<Upkeep> {
    const { record } = reading;
    const { reason, relaunches, lostHost } = how;
    const avoid = lostHost === null ? [] : [lostHost];
    const next = launchedAnew(record, { relaunches, isLost: lostHost !== null });
    const { launch } = record;
    // The server may live: nothing is given up before there is another place for it.
    if (lostHost !== null) await this.#options.compute.get(launch.compute).pick(launch.wants, { avoid });
    try {
      await this.#submit(await this.#records.write(this.#stamped(next), reading), avoid);
    } catch (error) {
      // Another worker was quicker with the very same thing.
      if (error instanceof SystemError && error.type === 'Conflict') return { did: 'nothing', healthy: false };
      throw error;
    }
    return { did: 'relaunched', epoch: next.epoch, reason };
  }

  async #submit({ record }: RecordReading, lostHosts: readonly string[] = []): Promise<void> {
    const { launch, key, epoch, predecessor } = record;
    // A host ends an older epoch for a newer one: the predecessor's is left alone, whoever submits.
    const avoid = predecessor === null ? lostHosts : [...lostHosts, predecessor.host];
    const compute = this.#options.compute.get(launch.compute);
    const { command, files } = serveJob(launch.artifact, launch.command);
    const { wants, environment } = launch;
    const job = await compute.submit({ key, epoch, kind: 'service', command, files, wants, environment }, { avoid });
    const noted = await this.#change(record.model, record.version, (current) =>
      current?.epoch === epoch && current.job === null && isWanted(current) ? { ...current, job } : current,
    );
    // It was retired, launched anew, or submitted elsewhere while this was on its way: then nobody else knows of the job.
    if (!isSameJob(noted?.record.job, job)) await compute.remove(job);
  }

  /** A launch that joins a version which has died in the meantime, or which another launch failed to start, starts it anew. */
  async #restartDead(reading: RecordReading, ref: JobRef, key: string): Promise<void> {
    if (reading.record.phase === 'launching' && reading.record.key === key) return;
    const job = await this.#jobState(ref);
    if (!hasEnded(job)) return;
    await this.#relaunch(reading, { reason: await this.#whyFailed(ref, job), relaunches: 0, lostHost: null });
  }

  async #noteHealthy(reading: RecordReading, url: string): Promise<ReplicaState> {
    const { epoch } = reading.record;
    const noted = await this.#change(reading.record.model, reading.record.version, (current) =>
      current?.epoch === epoch && current.phase !== 'retired' ? healthyAt(current, url) : current,
    );
    return noted?.record.url === url ? { phase: 'ready', url } : { phase: 'starting' };
  }

  /** What its host keeps because it does not answer is left to the reaper. */
  async #removeIfThere(job: JobRef | null): Promise<void> {
    if (job === null) return;
    try {
      await this.#options.compute.get(job.compute).remove(job);
    } catch (error) {
      if (!(error instanceof SystemError && error.type === 'Unavailable')) throw error;
    }
  }

  async #jobState(ref: JobRef): Promise<JobState | undefined> {
    return this.#options.compute.get(ref.compute).state(ref);
  }

  async #whyFailed(ref: JobRef, job: JobState | undefined): Promise<string> {
    if (job === undefined) return `The host ${ref.host} knows nothing of the job ${ref.key}.`;
    if (job.phase === 'lost') return job.reason;
    const how = job.phase === 'exited' ? `The server ended with exit code ${job.exitCode}` : 'The server runs';
    try {
      const { text } = await this.#options.compute.get(ref.compute).log(ref, -logTailBytes, logTailBytes);
      return `${how} on ${ref.host}; the end of its log: ${text.trim()}`;
    } catch {
      return `${how} on ${ref.host}.`;
    }
  }

  async #change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord,
  ): Promise<RecordReading>;
  async #change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord | undefined,
  ): Promise<RecordReading | undefined>;
  /** Reads, decides and writes until nobody was in between. Where `next` answers what is there, nothing is written. */
  async #change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord | undefined,
  ): Promise<RecordReading | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const reading = await this.#records.read(model, version);
      const wanted = next(reading?.record);
      if (wanted === undefined || wanted === reading?.record) return reading?.record === wanted ? reading : undefined;
      try {
        return await this.#records.write(this.#stamped(wanted), reading ?? null);
      } catch (error) {
        if (!(error instanceof SystemError && error.type === 'Conflict') || attempt === writesAtMost) throw error;
      }
    }
  }

  #stamped(record: ServingRecord): ServingRecord {
    return { ...record, changedAt: this.#now().toISOString() };
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}
