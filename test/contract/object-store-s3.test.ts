// The S3 store keeps the contract on two servers; what only a real server can show (digests, uploads left behind) is here too.

import { randomBytes, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { ListMultipartUploadsCommand, PutObjectCommand, type S3 } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectS3 } from '../../systems/object-store/s3-client.js';
import type { S3Settings } from '../../systems/object-store/s3-client.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { objectStoreContract } from './object-store.suite.js';

const MiB = 1024 * 1024;

for (const server of ['s3', 'minio'] as const) {
  const settings = (): S3Settings => {
    const { endpoint, region, accessKeyId, secretAccessKey } = inject(server);
    const credentials = { accessKeyId, secretAccessKey };
    return { bucket: 'contract-objects', endpoint, region, credentials, listPageSize: 100 };
  };
  const name = server === 's3' ? 'versitygw' : 'MinIO';

  objectStoreContract({
    name,
    open: async () => {
      const store = new S3ObjectStore(settings());
      await store.createBucketIfMissing();
      await store.createBucketIfMissing();
      return store;
    },
  });

  describe(`${name} as a real server`, () => {
    let store: S3ObjectStore;
    let raw: S3;
    beforeAll(async () => {
      store = new S3ObjectStore(settings());
      raw = await connectS3(settings()).client();
      await store.createBucketIfMissing();
    });
    afterAll(() => {
      store.close();
      raw.destroy();
    });

    it('fails a read at its end when the bytes do not match the digest', async () => {
      const key = `digests/${randomUUID()}`;
      const wrong = { 'pawl-sha256': '0'.repeat(64) };
      await raw.send(new PutObjectCommand({ Bucket: store.bucketName, Key: key, Body: 'tampered', Metadata: wrong }));
      const { body } = await store.get(key);
      await expect(text(body)).rejects.toMatchObject({ type: 'IntegrityFailed' });
      const ranged = await store.get(key, { range: { start: 0, end: 3 } });
      expect(await text(ranged.body)).toBe('tamp');
    });

    it('leaves no upload behind when a stream fails', async () => {
      const key = `uploads/${randomUUID()}`;
      const failing = Readable.from(
        (async function* () {
          for (let sent = 0; sent < 20; sent += 1) yield randomBytes(MiB);
          throw new Error('the source broke');
        })(),
        { objectMode: false },
      );
      await expect(store.put(key, failing)).rejects.toThrow('the source broke');
      const left = await raw.send(new ListMultipartUploadsCommand({ Bucket: store.bucketName, Prefix: key }));
      expect(left.Uploads ?? []).toEqual([]);
    });

    it('leaves no upload behind when its condition does not hold', async () => {
      const key = `uploads/${randomUUID()}`;
      await store.put(key, 'first');
      const body = Readable.from([randomBytes(9 * MiB)]);
      await expect(store.put(key, body, { ifNoneMatch: '*' })).rejects.toMatchObject({ type: 'Conflict' });
      const left = await raw.send(new ListMultipartUploadsCommand({ Bucket: store.bucketName, Prefix: key }));
      expect(left.Uploads ?? []).toEqual([]);
    });

    it('names refused credentials as such', async () => {
      const credentials = { accessKeyId: inject(server).accessKeyId, secretAccessKey: 'wrong-secret' };
      const refused = new S3ObjectStore({ ...settings(), credentials });
      await expect(refused.get('a')).rejects.toMatchObject({ type: 'PermissionDenied' });
      await expect(refused.head('a')).rejects.toMatchObject({ type: 'PermissionDenied' });
      await expect(refused.put('a', 'x')).rejects.toMatchObject({ type: 'PermissionDenied' });
      refused.close();
    });

    it('names bucket, key and endpoint when nobody answers', async () => {
      const away = new S3ObjectStore({ ...settings(), endpoint: 'http://127.0.0.1:9', maxAttempts: 1 });
      const failure = {
        type: 'Unavailable',
        message: expect.stringMatching(/contract-objects\/some\/key at http:\/\/127\.0\.0\.1:9/) as string,
      };
      await expect(away.get('some/key')).rejects.toMatchObject(failure);
      await expect(away.head('some/key')).rejects.toMatchObject(failure);
      away.close();
    });
  });
}
