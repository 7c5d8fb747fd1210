// Serving through Pawl's gateways: versions run as services of a compute system, serving records tell the gateways where.
// Every step is written down by compare-and-set before and after its effect, so that any of them can be done again.

import { SystemError } from '../../dag/failures.js';
import type { ComputeSystems, JobRef } from '../compute/port.js';
import type { ObjectStore } from '../object-store/port.js';
import { drain } from './drain.js';
import { HttpRouter } from './http-router.js';
import { Launcher } from './launcher.js';
import { isHealthy, probeServer } from './model-server.js';
import type { LaunchRequest, ProbeResult, ReplicaState, RetireOptions, Router, Serving } from './port.js';
import { hasEnded, hasGivenUp, kept, requested, retired, retiring } from './record-changes.js';
import type { ServingRecord } from './record.js';
import { ServingRecords, type RecordReading } from './records.js';
import { ServiceJobs } from './service-jobs.js';
import { VersionUpkeep, type SeenTrouble, type Upkeep } from './upkeep.js';

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

/** Beyond the drain: what whoever retires a version may take to remove it, before somebody else finishes the work. */
const retireSpareMs = 30_000;
export class GatewayServing implements Serving {
  readonly name = 'gateway';
  readonly #options: GatewayServingOptions;
  readonly #records: ServingRecords;
  readonly #jobs: ServiceJobs;
  readonly #launcher: Launcher;
  readonly #routers: readonly HttpRouter[];
  readonly #upkeep: VersionUpkeep;

  constructor(options: GatewayServingOptions) {
    this.#options = options;
    this.#records = new ServingRecords(options);
    this.#jobs = new ServiceJobs(options.compute);
    this.#launcher = new Launcher(options.compute, this.#records);
    this.#routers = options.routerUrls.map((url) => new HttpRouter({ url, token: options.token }));
    this.#upkeep = new VersionUpkeep({
      environment: options.environment,
      records: this.#records,
      jobs: this.#jobs,
      launcher: this.#launcher,
      routers: this.#routers,
      nowMs: () => this.#nowMs(),
    });
  }

  async routers(): Promise<readonly Router[]> {
    return this.#routers;
  }

  /** Also throws `Unavailable` while the version is being retired, and what `Compute.submit` throws. */
  async launch(request: LaunchRequest): Promise<void> {
    const { environment } = this.#options;
    const reading = await this.#records.change(request.model, request.version, (current) =>
      requested(current, request, { environment, nowMs: this.#nowMs() }),
    );
    if (reading.record.job === null) await this.#launcher.submit(reading);
    else await this.#launcher.restartDead(reading, reading.record.job, request.key);
  }

  async state(model: string, version: number): Promise<ReplicaState> {
    const reading = await this.#records.read(model, version);
    if (reading === undefined || reading.record.phase === 'retired') return { phase: 'absent' };
    const { record } = reading;
    const { healthPath } = record.launch;
    if (record.url !== null && (await isHealthy(record.url, healthPath))) return { phase: 'ready', url: record.url };
    if (record.job === null) return { phase: 'starting' };
    const job = await this.#jobs.state(record.job);
    if (hasEnded(job)) return { phase: 'failed', reason: await this.#jobs.whyFailed(record.job, job) };
    if (job?.phase !== 'running' || job.url === undefined || !(await isHealthy(job.url, healthPath)))
      return { phase: 'starting' };
    return this.#launcher.noteHealthy(reading, job.url);
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
    const reading = await this.#records.change(model, version, (current) => {
      if (current === undefined || current.phase === 'retired') return undefined;
      if (current.phase === 'retiring') return current;
      return retiring(current, new Date(this.#nowMs() + drainMs + retireSpareMs).toISOString());
    });
    if (reading === undefined) return true;
    const { job, epoch, predecessor } = reading.record;
    const moveOn = (next: (current: ServingRecord) => ServingRecord): Promise<RecordReading | undefined> =>
      this.#records.change(model, version, (current) =>
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
    await this.#jobs.removeIfThere(predecessor);
    return (await moveOn(retired))?.record.phase === 'retired';
  }

  async launched(model: string): Promise<readonly number[]> {
    const records = await this.#records.list(model);
    return records.filter(({ phase }) => phase !== 'retired').map(({ version }) => version);
  }

  async isWanted(service: JobRef): Promise<boolean> {
    for await (const record of this.#records.all()) if (hasGivenUp(record, service, this.#nowMs())) return false;
    return true;
  }

  /** As `launched`, for one version: however many there have been, one record is read. */
  async isLaunched(model: string, version: number): Promise<boolean> {
    const reading = await this.#records.read(model, version);
    return reading !== undefined && reading.record.phase !== 'retired';
  }

  /** See `VersionUpkeep`. */
  async ensureRunning(model: string, version: number, seen?: SeenTrouble): Promise<Upkeep> {
    return this.#upkeep.ensureRunning(model, version, seen);
  }

  /** See `VersionUpkeep`. */
  async revive(model: string, version: number): Promise<Upkeep> {
    return this.#upkeep.revive(model, version);
  }

  #nowMs(): number {
    return (this.#options.now?.() ?? new Date()).getTime();
  }
}
