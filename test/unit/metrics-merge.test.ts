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

test('of a router of another build only the bounds are kept that both count by', () => {
  const finer = { boundsMs: [5, 10, 15, 20, 40], counts: [1, 2, 3, 4, 5, 6] };
  const coarser = { boundsMs: [10, 20, 80], counts: [10, 20, 30, 40] };
  const sum = { boundsMs: [10, 20], counts: [13, 27, 81] };
  const [left, right] = [part(21, { latency: finer }), part(100, { latency: coarser })];
  expect(mergeMeasurements([left, right])?.latency).toEqual(sum);
  expect(mergeMeasurements([right, left])?.latency).toEqual(sum);
});
