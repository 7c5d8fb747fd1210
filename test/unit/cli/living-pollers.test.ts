// Which pollers `pawl doctor` counts as workers.

import { expect, test } from 'vitest';
import { livingPollers } from '../../../cli/doctor/living-pollers.js';

const nowMs = 1_800_000_000_000;
const here = { nowMs, host: 'here', isAlive: (pid: number) => pid === 7 };
const poller = (identity: string, secondsAgo: number) => ({
  identity,
  lastAccessTime: { seconds: BigInt(nowMs / 1000 - secondsAgo) },
});

test('one that has not polled for longer than a poll takes has gone', () => {
  expect(livingPollers([poller('1@there', 60), poller('2@there', 90)], here)).toEqual(['1@there']);
});

test('one whose process on this machine has ended has gone, however short a time ago', () => {
  expect(livingPollers([poller('7@here', 1), poller('8@here', 1), poller('8@there', 1)], here)).toEqual([
    '7@here',
    '8@there',
  ]);
});

test('one with a name of its own, or of whose time nothing is said, is believed', () => {
  expect(livingPollers([poller('gpu-worker', 1), { identity: '9@there' }], here)).toEqual(['gpu-worker', '9@there']);
});

test('one that has several polls open is one worker', () => {
  expect(livingPollers([poller('7@here', 1), poller('7@here', 30)], here)).toEqual(['7@here']);
});
