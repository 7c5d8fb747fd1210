import { expect, test } from 'vitest';

import type { Duration } from '../../../dag/durations.js';
import { durationMs } from '../../../dag/durations.js';

test.each<[Duration, number]>([
  [250, 250],
  ['500ms', 500],
  ['30s', 30_000],
  ['30m', 1_800_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
])('%s is %i ms', (duration, ms) => {
  expect(durationMs(duration, 'timeout')).toBe(ms);
});

test.each(['', '5', 'm', '5 m', '-5m', '5M', '5x', '5toString', '1e3s', 0, -1, NaN, Infinity, '0s'])(
  '%j is refused',
  (duration) => {
    expect(() => durationMs(duration as Duration, 'step a: timeout')).toThrow(
      /^step a: timeout: .* is not a duration; write '500ms'/,
    );
  },
);
