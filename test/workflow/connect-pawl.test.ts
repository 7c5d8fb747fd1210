// A client that was connected the ready way, on the settings of the environment.

import { afterAll, afterEach, beforeAll, expect, inject, it, vi } from 'vitest';
import { z } from 'zod';
import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import { connectPawl } from '../../exports/connect-pawl.js';
import { externalStorage } from '../../workers/external-storage.js';
import { openBench, openBucket, type Bench } from './engine-fixture.js';

const produce = task({
  name: 'produce',
  version: '1',
  input: z.object({ sizeBytes: z.number() }),
  output: z.object({ text: z.string() }),
  run: ({ sizeBytes }) => ({ text: 'x'.repeat(sizeBytes) }),
});
const large = dag({ name: 'large', params: z.object({ sizeBytes: z.number() }) }, ({ params, step }) =>
  step(produce, { sizeBytes: params.sizeBytes }),
);

let bench: Bench;
let bucket: string;
beforeAll(async () => {
  const objects = await openBucket();
  bucket = objects.bucketName;
  bench = await openBench([large], { objects, externalStorage: externalStorage(objects) });
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => bench.close());

it('reads an output that is too large for Temporal, from the bucket that it was told', async () => {
  const { endpoint, region, accessKeyId, secretAccessKey } = inject('s3');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', endpoint);
  vi.stubEnv('AWS_REGION', region);
  vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey);
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporal').address);
  const { pawl, close } = await connectPawl({ environment: 'dev', bucket, taskQueue: bench.taskQueue });
  try {
    const { output } = await pawl.result(await pawl.start(large, { sizeBytes: 1_000_000 }));
    expect(output?.text).toHaveLength(1_000_000);
  } finally {
    await close();
  }
});

it('is of the environment and the bucket that the variables name, where it is told of none', async () => {
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporal').address);
  vi.stubEnv('PAWL_ENVIRONMENT', 'stage');
  vi.stubEnv('PAWL_BUCKET', '');
  await expect(connectPawl()).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringMatching(/^connectPawl was given no bucket: name it, or set PAWL_BUCKET/) as string,
  });
  vi.stubEnv('PAWL_BUCKET', bucket);
  const { pawl, close } = await connectPawl();
  await close();
  expect(pawl).toMatchObject({ environment: 'stage', taskQueue: 'pawl-stage' });
});
