// The stores on which everything that is built on the object-store port is tried: memory, versitygw and MinIO.

import { inject } from 'vitest';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';

const onServer = async (server: 's3' | 'minio', bucket: string): Promise<ObjectStore> => {
  const { endpoint, region, accessKeyId, secretAccessKey } = inject(server);
  const store = new S3ObjectStore({ bucket, endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  await store.createBucketIfMissing();
  return store;
};

export const storesUnderTest: readonly {
  readonly name: string;
  readonly open: (bucket: string) => Promise<ObjectStore>;
}[] = [
  { name: 'memory', open: async () => new MemoryObjectStore() },
  { name: 'versitygw', open: async (bucket) => await onServer('s3', bucket) },
  { name: 'MinIO', open: async (bucket) => await onServer('minio', bucket) },
];
