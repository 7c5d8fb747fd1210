import { expect, test } from 'vitest';
import { mergeMeasurements } from '../../systems/metrics/merge.js';

const part = (requests: number, over: object = {}) => ({
  ...{ requests, errors: 1, coveredMs: 1_000, latency: { boundsMs: [10, 20], counts: [requests, 0, 0] } },
  ...over,
});

test('what several routers measured is added up, and covered is what all of them covered', () => {
  expect(mergeMeasurements([])).toBeUndefined();
  expect(
    mergeMeasurements([part(3, { unanswered: 2 }), part(4, { coveredMs: 500 }), part(5, { unanswered: 1 })]),
  ).toEqual({
    ...{ requests: 12, errors: 3, unanswered: 3, coveredMs: 500 },
    latency: { boundsMs: [10, 20], counts: [12, 0, 0] },
  });
});

test('a router of another build, with other buckets, never makes a latency look better', () => {
  const other = part(6, { latency: { boundsMs: [5, 15, 40], counts: [1, 2, 2, 1] } });
  expect(mergeMeasurements([part(3), other])?.latency).toEqual({ boundsMs: [10, 20], counts: [4, 2, 3] });
});
