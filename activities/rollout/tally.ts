// Counts a step's traffic over any length of time, though metrics keep only the last minutes: closed chunks are added up, and
// the open one is measured anew with each look. Pure.

import type { Measurement } from '../../systems/metrics/port.js';
import type { Traffic } from '../../stats/canary-rule.js';
import type { Tally } from './protocol.js';

/** Well within what metrics keep; long enough that the overlap of a second at each seam does not count. */
export const chunkMs = 300_000;

export const emptyTally: Tally = { challenger: null, champion: null, watchedMs: 0, coveredMs: 0 };

/** Adds what was measured in the last `windowMs`. Requests that nobody watched are missing, and `coveredMs` says so. */
export function addToTally(
  tally: Tally,
  measured: { challenger: Measurement | undefined; champion: Measurement | undefined; windowMs: number },
): Tally {
  return {
    challenger: addTraffic(tally.challenger, measured.challenger),
    champion: addTraffic(tally.champion, measured.champion),
    watchedMs: tally.watchedMs + measured.windowMs,
    coveredMs: tally.coveredMs + Math.min(measured.windowMs, measured.challenger?.coveredMs ?? 0),
  };
}

/** A tenth of the time, or a second, may be missing: clocks differ and buckets have edges. */
export const isCovered = ({ watchedMs, coveredMs }: Tally): boolean =>
  coveredMs >= Math.min(0.9 * watchedMs, watchedMs - 1_000);

/** What a verdict is taken on, without what is only known of a window. */
export const trafficOf = ({ requests, errors, unanswered = 0, latency }: Measurement): Traffic => ({
  requests,
  errors,
  unanswered,
  latency: { boundsMs: latency.boundsMs, counts: latency.counts },
});

function addTraffic(left: Traffic | null, right: Measurement | undefined): Traffic | null {
  if (right === undefined) return left;
  if (left === null) return trafficOf(right);
  const { requests, errors, unanswered = 0, latency } = right;
  return {
    requests: left.requests + requests,
    errors: left.errors + errors,
    unanswered: (left.unanswered ?? 0) + unanswered,
    latency: {
      boundsMs: latency.boundsMs,
      counts: latency.counts.map((count, index) => count + (left.latency.counts[index] ?? 0)),
    },
  };
}

/** The champion of the same time where it had enough requests; else whichever saw more of it. */
export function chooseBaseline(now: Traffic | null, earlier: Traffic | null, minRequests: number): Traffic | undefined {
  if (now !== null && now.requests >= minRequests) return now;
  if (earlier === null) return now ?? undefined;
  return now !== null && now.requests >= earlier.requests ? now : earlier;
}
