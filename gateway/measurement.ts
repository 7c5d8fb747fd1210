// What the gateway knows about each version's traffic: rings of one-second buckets with counts and latencies.
// Recording happens for every request and only adds to typed arrays.

import type { Measurement } from '../systems/metrics/port.js';

// A little over a quarter of an hour, so that a window of 15 minutes, widened to whole seconds, is still whole.
const ringSeconds = 910;
const firstBoundMs = 0.25;
const boundsPerDoubling = 16;

/** Upper bounds of the latency buckets in milliseconds: sixteen for each doubling, from 0.25 ms to over ten minutes. */
export const latencyBoundsMs: readonly number[] = Array.from(
  { length: 345 },
  (_, index) => firstBoundMs * 2 ** (index / boundsPerDoubling),
);
const latencyBuckets = latencyBoundsMs.length + 1;

/** The first bucket whose upper bound is not below the latency. */
export function latencyBucket(latencyMs: number): number {
  if (!(latencyMs > firstBoundMs)) return 0;
  let index = Math.ceil(Math.log2(latencyMs / firstBoundMs) * boundsPerDoubling);
  if (index >= latencyBuckets) return latencyBuckets - 1;
  // The logarithm may be off by one in its last digit at a bound.
  if ((latencyBoundsMs[index - 1] ?? Infinity) >= latencyMs) index -= 1;
  else if ((latencyBoundsMs[index] ?? Infinity) < latencyMs) index += 1;
  return index;
}

export interface TrafficWindow extends Measurement {
  /** Requests that their sender gave up; they count neither as requests nor as errors. */
  readonly abandoned: number;
  /** Those of them whose sender had waited in vain for an answer to begin. */
  readonly unanswered: number;
}

/** One version's traffic. All times are milliseconds of the gateway's monotonic clock. */
export class VersionTraffic {
  /** Requests under way. */
  inFlight = 0;
  #lastUsedMs: number;
  readonly #second = new Float64Array(ringSeconds).fill(-1);
  readonly #requests = new Uint32Array(ringSeconds);
  readonly #errors = new Uint32Array(ringSeconds);
  readonly #abandoned = new Uint32Array(ringSeconds);
  readonly #unanswered = new Uint32Array(ringSeconds);
  readonly #latency = new Uint32Array(ringSeconds * latencyBuckets);

  constructor(nowMs: number) {
    this.#lastUsedMs = nowMs;
  }

  /** Counts a request that ended now. */
  record(nowMs: number, latencyMs: number, isError: boolean): void {
    const slot = this.#slot(nowMs);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
    if (isError) this.#errors[slot] = (this.#errors[slot] ?? 0) + 1;
    const bucket = slot * latencyBuckets + latencyBucket(latencyMs);
    this.#latency[bucket] = (this.#latency[bucket] ?? 0) + 1;
  }

  recordAbandoned(nowMs: number, isUnanswered = false): void {
    const slot = this.#slot(nowMs);
    this.#abandoned[slot] = (this.#abandoned[slot] ?? 0) + 1;
    if (isUnanswered) this.#unanswered[slot] = (this.#unanswered[slot] ?? 0) + 1;
  }

  /** The last `windowMs`, widened to whole seconds; `watchedSinceMs` is when this process began to watch. */
  window(nowMs: number, windowMs: number, watchedSinceMs: number): TrafficWindow {
    const counts = new Array<number>(latencyBuckets).fill(0);
    let requests = 0;
    let errors = 0;
    let abandoned = 0;
    let unanswered = 0;
    const last = Math.floor(nowMs / 1000);
    const first = Math.max(Math.floor((nowMs - windowMs) / 1000), last - ringSeconds + 1);
    for (let second = first; second <= last; second += 1) {
      const slot = ((second % ringSeconds) + ringSeconds) % ringSeconds;
      if (this.#second[slot] !== second) continue;
      requests += this.#requests[slot] ?? 0;
      errors += this.#errors[slot] ?? 0;
      abandoned += this.#abandoned[slot] ?? 0;
      unanswered += this.#unanswered[slot] ?? 0;
      for (let bucket = 0; bucket < latencyBuckets; bucket += 1) {
        counts[bucket] = (counts[bucket] ?? 0) + (this.#latency[slot * latencyBuckets + bucket] ?? 0);
      }
    }
    const keptMs = (ringSeconds - 1) * 1000;
    return {
      requests,
      errors,
      abandoned,
      unanswered,
      latency: { boundsMs: latencyBoundsMs, counts },
      coveredMs: Math.max(0, Math.min(windowMs, nowMs - watchedSinceMs, keptMs)),
    };
  }

  idleForMs(nowMs: number): number {
    return this.inFlight > 0 ? 0 : nowMs - this.#lastUsedMs;
  }

  #slot(nowMs: number): number {
    this.#lastUsedMs = nowMs;
    const second = Math.floor(nowMs / 1000);
    const slot = second % ringSeconds;
    if (this.#second[slot] !== second) {
      this.#second[slot] = second;
      this.#requests[slot] = 0;
      this.#errors[slot] = 0;
      this.#abandoned[slot] = 0;
      this.#unanswered[slot] = 0;
      this.#latency.fill(0, slot * latencyBuckets, (slot + 1) * latencyBuckets);
    }
    return slot;
  }
}

const forgetAfterMs = 3_600_000;

/** The traffic of every version that this process has known, by model and version. */
export class Measurements {
  readonly #startedMs: number;
  readonly #models = new Map<string, Map<number, VersionTraffic>>();

  constructor(readonly nowMs: () => number) {
    this.#startedMs = nowMs();
  }

  of(model: string, version: number): VersionTraffic {
    let versions = this.#models.get(model);
    if (versions === undefined) this.#models.set(model, (versions = new Map<number, VersionTraffic>()));
    let traffic = versions.get(version);
    if (traffic === undefined) versions.set(version, (traffic = new VersionTraffic(this.nowMs())));
    return traffic;
  }

  /**
   * The last `windowMs` of a version. A version without traffic was watched all the same: `coveredMs` is the time since this
   * process started, because nothing could have passed by it unseen. `undefined`: the model is not known here.
   */
  window(model: string, version: number, windowMs: number): TrafficWindow | undefined {
    const versions = this.#models.get(model);
    if (versions === undefined) return undefined;
    const nowMs = this.nowMs();
    const traffic = versions.get(version);
    if (traffic !== undefined) return traffic.window(nowMs, windowMs, this.#startedMs);
    const counts = new Array<number>(latencyBuckets).fill(0);
    const coveredMs = Math.min(windowMs, nowMs - this.#startedMs);
    const none = { requests: 0, errors: 0, abandoned: 0, unanswered: 0 };
    return { ...none, latency: { boundsMs: latencyBoundsMs, counts }, coveredMs };
  }

  inFlight(model: string, version: number): number {
    return this.#models.get(model)?.get(version)?.inFlight ?? 0;
  }

  /** Drops what nobody asks about any more: versions that are no longer routed to and had no request for an hour. */
  forgetIdle(model: string, routed: readonly (number | null)[]): void {
    const versions = this.#models.get(model) ?? new Map<number, VersionTraffic>();
    for (const [version, traffic] of versions) {
      if (!routed.includes(version) && traffic.idleForMs(this.nowMs()) > forgetAfterMs) versions.delete(version);
    }
  }
}
