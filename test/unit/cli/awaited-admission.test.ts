// What is said of a run that no worker has taken up.

import { expect, test } from 'vitest';
import { awaitedAdmission } from '../../../cli/awaited-admission.js';

type Described = Parameters<typeof awaitedAdmission>[0];
const described = (...pendingActivities: object[]): Described => ({ raw: { pendingActivities } });
const now = new Date(2026, 10, 8, 14, 30);
const lastFailure = { message: 'No DAG or task is named "x" here; known are y.' };
const expirationTime = { seconds: BigInt(now.getTime() / 1000 + 540) };

test('is the last worker’s reason, and until when it is waited for another', () => {
  const admit = { activityType: { name: 'admit' }, lastFailure, expirationTime };
  expect(awaitedAdmission(described({ activityType: { name: 'writeRunRecord' } }, admit), now)).toBe(
    `waits for a worker that takes it up, and fails at 14:39:00 without one: ${lastFailure.message}`,
  );
});

test('is nothing for a run that was admitted, or that nobody has answered yet', () => {
  expect(awaitedAdmission(described({ activityType: { name: 'greet' }, lastFailure }), now)).toBeUndefined();
  expect(awaitedAdmission(described({ activityType: { name: 'admit' } }), now)).toBeUndefined();
  expect(awaitedAdmission(described(), now)).toBeUndefined();
});
