import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { latencyBoundsMs, latencyBucket, Measurements, VersionTraffic } from '../../gateway/measurement.js';

describe('latency buckets', () => {
  test('hold exactly what lies between their bounds', () => {
    const anywhere = fc.double({ min: 0, max: 2_000_000, noNaN: true });
    fc.assert(
      fc.property(fc.oneof(anywhere, fc.constantFrom(...latencyBoundsMs)), (latencyMs) => {
        const index = latencyBucket(latencyMs);
        expect(latencyMs).toBeLessThanOrEqual(latencyBoundsMs[index] ?? Infinity);
        if (index > 0) expect(latencyMs).toBeGreaterThan(latencyBoundsMs[index - 1] ?? Infinity);
      }),
    );
  });

  test('reach beyond ten minutes, with less than a twentieth from one bound to the next', () => {
    expect(latencyBoundsMs.at(-1)).toBeGreaterThan(600_000);
    latencyBoundsMs
      .slice(1)
      .forEach((bound, index) => expect(bound / (latencyBoundsMs[index] ?? 0)).toBeLessThan(1.05));
  });
});

describe('a window', () => {
  test('counts what a list of all requests would count', () => {
    const request = fc.record({
      afterMs: fc.nat(3_000),
      latencyMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
      isError: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 200 }), fc.integer({ min: 1, max: 900 }), (requests, seconds) => {
        let nowMs = 0;
        const traffic = new VersionTraffic(nowMs);
        const list: { readonly second: number; readonly latencyMs: number; readonly isError: boolean }[] = [];
        for (const { afterMs, latencyMs, isError } of requests) {
          nowMs += afterMs;
          traffic.record(nowMs, latencyMs, isError);
          list.push({ second: Math.floor(nowMs / 1_000), latencyMs, isError });
        }
        const window = traffic.window(nowMs, seconds * 1_000, 0);
        const within = list.filter(({ second }) => second >= Math.floor((nowMs - seconds * 1_000) / 1_000));
        const counts = window.latency.boundsMs.map(() => 0).concat(0);
        for (const { latencyMs } of within)
          counts[latencyBucket(latencyMs)] = (counts[latencyBucket(latencyMs)] ?? 0) + 1;
        expect(window.requests).toBe(within.length);
        expect(window.errors).toBe(within.filter(({ isError }) => isError).length);
        expect(window.latency.counts).toEqual(counts);
      }),
    );
  });

  test('does not see what passed before it, also when the ring has gone round', () => {
    const traffic = new VersionTraffic(0);
    traffic.record(500, 1, false);
    expect(traffic.window(5_000, 2_000, 0).requests).toBe(0);
    traffic.record(910_500, 1, true);
    const window = traffic.window(910_600, 900_000, 0);
    expect(window).toMatchObject({ requests: 1, errors: 1 });
    expect(window.latency.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
    // The second that lies one round after it had no request.
    expect(traffic.window(1_820_900, 5_000, 0)).toMatchObject({ requests: 0, errors: 0 });
  });

  test('is covered only since the process started', () => {
    let nowMs = 1_000_000;
    const measurements = new Measurements(() => nowMs);
    measurements.of('bot', 1).record(nowMs, 5, false);
    nowMs += 30_000;
    expect(measurements.window('bot', 1, 60_000)).toMatchObject({ requests: 1, coveredMs: 30_000 });
    expect(measurements.window('bot', 1, 10_000)).toMatchObject({ requests: 0, coveredMs: 10_000 });
  });

  test('of a version without traffic is watched and empty, of an unknown model is nothing', () => {
    let nowMs = 0;
    const measurements = new Measurements(() => nowMs);
    measurements.of('bot', 1);
    nowMs = 20_000;
    expect(measurements.window('bot', 2, 10_000)).toMatchObject({ requests: 0, errors: 0, coveredMs: 10_000 });
    expect(measurements.window('other', 1, 10_000)).toBeUndefined();
  });

  test('keeps who left apart from requests and errors', () => {
    const traffic = new VersionTraffic(0);
    traffic.recordAbandoned(100);
    expect(traffic.window(200, 1_000, 0)).toMatchObject({ requests: 0, errors: 0, abandoned: 1, unanswered: 0 });
    traffic.recordAbandoned(200, true);
    expect(traffic.window(300, 1_000, 0)).toMatchObject({ requests: 0, errors: 0, abandoned: 2, unanswered: 1 });
  });
});

test('a version that is routed to is never forgotten, another one after an hour without a request', () => {
  let nowMs = 0;
  const measurements = new Measurements(() => nowMs);
  const [first, second] = [measurements.of('bot', 1), measurements.of('bot', 2)];
  nowMs = 3_600_001;
  measurements.forgetIdle('bot', [1, null]);
  expect(measurements.of('bot', 1)).toBe(first);
  expect(measurements.of('bot', 2)).not.toBe(second);
});
