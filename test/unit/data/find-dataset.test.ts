// How the last accepted data set is found.

import { expect, test } from 'vitest';
import { lastDataset } from '../../../activities/feature-engineering/find-dataset.js';
import { latestDatasetKey } from '../../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';

test('a pointer that is deleted while it is looked for is no data set, not a failure', async () => {
  const objects = new MemoryObjectStore();
  const info = await objects.put(latestDatasetKey('bot', 'dev'), '{}');
  await objects.delete(latestDatasetKey('bot', 'dev'));
  objects.head = async (key) => ({ key, modifiedAt: new Date(), ...info });
  expect(await lastDataset(objects, 'bot', 'dev')).toBeUndefined();
});

test('a pointer that is not what Pawl wrote is named, with its place', async () => {
  const objects = new MemoryObjectStore();
  await objects.put(latestDatasetKey('bot', 'dev'), '{"id":3}');
  await expect(lastDataset(objects, 'bot', 'dev')).rejects.toMatchObject({
    type: 'Corrupt',
    message: expect.stringContaining('s3://memory/datasets/bot/latest/dev.json'),
  });
});
