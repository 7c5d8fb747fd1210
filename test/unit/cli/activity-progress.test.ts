import { defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { activityProgress, describeProgress } from '../../../cli/activity-progress.js';

test.each([
  [{ step: 120, steps: 400, loss: 1.93471 }, 'step 120 of 400 · loss 1.935'],
  [{ note: 'reading', rows: 12_000 }, 'note reading · rows 12,000'],
  [{ step: 3, epoch: 1 }, 'step 3 · epoch 1'],
  [{ nested: { of: 'no use' } }, ''],
])('a program’s progress is said in one line: %j', (progress, line) => {
  expect(describeProgress({ progress })).toBe(line);
});

test('what activities under way last said is read, and what is no progress is left out', () => {
  const activities = [
    { progress: { step: 1, steps: 2 } },
    { summary: 'no traffic yet' },
    'whatever',
    { host: 'gpu-1' },
  ];
  const pendingActivities = activities.map((details) => ({
    heartbeatDetails: { payloads: [defaultPayloadConverter.toPayload(details)] },
  }));
  const raw = { pendingActivities: [...pendingActivities, {}] } as Parameters<typeof activityProgress>[0]['raw'];
  expect(activityProgress({ raw })).toEqual([{ progress: { step: 1, steps: 2 } }, { summary: 'no traffic yet' }]);
});

test('a canary’s judgement so far is said as it stands', () => {
  expect(describeProgress({ summary: 'no traffic yet' })).toBe('no traffic yet');
});
