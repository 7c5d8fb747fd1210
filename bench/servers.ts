// The real servers that a bench needs, ended with it.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { startS3Server, type S3Access } from '../deploy/embedded/s3-server.js';
import { startTemporalServer } from '../deploy/embedded/temporal-server.js';
import { S3ObjectStore } from '../systems/object-store/s3.js';
import type { BenchContext } from './report.js';

export const openTemporal = async (context: BenchContext): Promise<{ readonly address: string }> => {
  const server = await startTemporalServer({ onProgress: (line) => context.say(line) });
  context.onEnd(() => server.stop());
  return server;
};

export const openS3 = async (context: BenchContext): Promise<S3Access> => {
  const folder = join(context.folder, 's3');
  const server = await startS3Server({ folder, onProgress: (line) => context.say(line) });
  context.onEnd(() => server.stop());
  return server;
};

/** A bucket of the bench's own. */
export async function openBucket(context: BenchContext, s3: S3Access): Promise<S3ObjectStore> {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const objects = new S3ObjectStore({
    bucket: `bench-${randomUUID()}`,
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  context.onEnd(() => objects.close());
  await objects.createBucketIfMissing();
  return objects;
}

/** The standard variables by which a process finds the S3 server. */
export const awsVariables = (s3: S3Access): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL_S3: s3.endpoint,
  AWS_REGION: s3.region,
  AWS_ACCESS_KEY_ID: s3.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
});
