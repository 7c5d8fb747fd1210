import { expect, test } from 'vitest';
import { recordIntervalMs } from '../../workflows/dag-run/record-keeper.js';

const recordsWithin = (durationMs: number): number => {
  let records = 0;
  for (let atMs = 0; atMs < durationMs; atMs += recordIntervalMs(atMs)) records += 1;
  return records;
};

test('a run that changes all the time is written down every ten seconds at first, and never so often that its history fills', () => {
  expect(recordsWithin(600_000)).toBe(60);
  const tenDaysMs = 10 * 24 * 3_600_000;
  expect(recordsWithin(tenDaysMs)).toBeLessThan(900);
});
