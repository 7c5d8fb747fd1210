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

/** Routers of different builds may count in different buckets: a count then moves to the first bound that is not below its own. */
function mergeHistograms(left: LatencyHistogram, right: LatencyHistogram): LatencyHistogram {
  const counts = [...left.counts];
  right.counts.forEach((count, index) => {
    const bound = right.boundsMs[index] ?? Infinity;
    const at = left.boundsMs.findIndex((candidate) => candidate >= bound);
    const bucket = at === -1 ? left.boundsMs.length : at;
    counts[bucket] = (counts[bucket] ?? 0) + count;
  });
  return { boundsMs: left.boundsMs, counts };
}
