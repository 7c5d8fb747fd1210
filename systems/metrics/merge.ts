// Adds up what several routers measured of one version.

import type { LatencyHistogram, Measurement } from './port.js';

/** The sum of all; covered is only what every router covered. `undefined` where there is none. */
export function mergeMeasurements(parts: readonly Measurement[]): Measurement | undefined {
  const [first, ...others] = parts;
  if (first === undefined) return undefined;
  return others.reduce<Measurement>(
    (sum, part) => ({
      requests: sum.requests + part.requests,
      errors: sum.errors + part.errors,
      unanswered: (sum.unanswered ?? 0) + (part.unanswered ?? 0),
      latency: mergeHistograms(sum.latency, part.latency),
      coveredMs: Math.min(sum.coveredMs, part.coveredMs),
    }),
    {
      requests: first.requests,
      errors: first.errors,
      unanswered: first.unanswered ?? 0,
      latency: first.latency,
      coveredMs: first.coveredMs,
    },
  );
}

/** Routers of different builds may count in different buckets: what both have bounds for is kept apart, and nothing is guessed. */
function mergeHistograms(left: LatencyHistogram, right: LatencyHistogram): LatencyHistogram {
  const others = new Set(right.boundsMs);
  const boundsMs = left.boundsMs.filter((bound) => others.has(bound));
  const counts = new Array<number>(boundsMs.length + 1).fill(0);
  for (const part of [left, right]) {
    let at = 0;
    part.counts.forEach((count, index) => {
      const bound = part.boundsMs[index] ?? Infinity;
      while ((boundsMs[at] ?? Infinity) < bound) at += 1;
      counts[at] = (counts[at] ?? 0) + count;
    });
  }
  return { boundsMs, counts };
}
