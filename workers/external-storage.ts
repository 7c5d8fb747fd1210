// Payloads too large for Temporal lie in Pawl's bucket, under `v0/…`; Temporal carries a claim check.

import { buffer } from 'node:stream/consumers';
import { ExternalStorage, type StorageDriver } from '@temporalio/common/lib/converter/extstore.js';
import type { S3StorageDriverClient } from '@temporalio/external-storage-s3';
import type { ObjectStore } from '../systems/object-store/port.js';

// The driver percent-encodes the ids in its keys, which the object store refuses; it never writes a tilde itself.
const plainKey = (key: string): string => key.replaceAll('%', '~');

const driverClient = (objects: ObjectStore): S3StorageDriverClient => ({
  async putObject(bucket, key, data, options) {
    await objects.bucket(bucket).put(plainKey(key), data, signalOf(options?.abortSignal));
  },
  async objectExists(bucket, key) {
    return (await objects.bucket(bucket).head(plainKey(key))) !== undefined;
  },
  async getObject(bucket, key, options) {
    return buffer((await objects.bucket(bucket).get(plainKey(key), signalOf(options?.abortSignal))).body);
  },
});

const signalOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });

/** Temporal's own; it stands in every claim check, so it may not change. */
const driverName = 'aws.s3driver';

/** Loaded with the first large payload: Temporal's driver brings a protocol of its own along, a tenth of a second at every start. */
function s3Driver(objects: ObjectStore): StorageDriver {
  let loading: Promise<StorageDriver> | undefined;
  const driver = (): Promise<StorageDriver> =>
    (loading ??= import('@temporalio/external-storage-s3').then(
      ({ S3StorageDriver }) =>
        new S3StorageDriver({ client: driverClient(objects), bucket: objects.bucketName, driverName }),
    ));
  return {
    name: driverName,
    type: driverName,
    store: async (context, payloads) => (await driver()).store(context, payloads),
    retrieve: async (context, claims) => (await driver()).retrieve(context, claims),
  };
}

/** For the data converter of every worker and client of an environment: payloads from 256 KiB on go to the store. */
export const externalStorage = (objects: ObjectStore): ExternalStorage =>
  new ExternalStorage({ drivers: [s3Driver(objects)] });
