// The S3 store behind a network that fails: what a caller sees is one named failure, or the right bytes, never wrong ones.

import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { ListMultipartUploadsCommand, type S3 } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectS3 } from '../../systems/object-store/s3-client.js';
import type { S3Settings } from '../../systems/object-store/s3-client.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { startS3Proxy } from '../faults/s3-proxy.js';
import type { S3Proxy } from '../faults/s3-proxy.js';

const MiB = 1024 * 1024;
const isGet = (method: string): boolean => method === 'GET';
const isPut = (method: string): boolean => method === 'PUT';
const isPart = (method: string, _path: string, query: URLSearchParams): boolean =>
  method === 'PUT' && query.has('partNumber');
const isComplete = (method: string, _path: string, query: URLSearchParams): boolean =>
  method === 'POST' && query.has('uploadId');

for (const server of ['s3', 'minio'] as const) {
  describe(`the S3 store when ${server === 's3' ? 'versitygw' : 'MinIO'} is hard to reach`, () => {
    let proxy: S3Proxy;
    let store: S3ObjectStore;
    let direct: S3ObjectStore;
    let raw: S3;
    const settings = (endpoint: string, more: Partial<S3Settings> = {}): S3Settings => {
      const { region, accessKeyId, secretAccessKey } = inject(server);
      return { bucket: 'contract-faults', endpoint, region, credentials: { accessKeyId, secretAccessKey }, ...more };
    };
    const open: S3ObjectStore[] = [];
    const through = (more: Partial<S3Settings> = {}): S3ObjectStore => {
      const opened = new S3ObjectStore(settings(proxy.endpoint, more));
      open.push(opened);
      return opened;
    };
    const uploadsOf = async (key: string) => {
      const left = await raw.send(new ListMultipartUploadsCommand({ Bucket: store.bucketName, Prefix: key }));
      return left.Uploads ?? [];
    };
    const stream = (bytes: Buffer): Readable => Readable.from([bytes]);

    beforeAll(async () => {
      proxy = await startS3Proxy(inject(server));
      store = through();
      direct = new S3ObjectStore(settings(inject(server).endpoint));
      raw = await connectS3(settings(inject(server).endpoint)).client();
      await direct.createBucketIfMissing();
    });
    afterEach(() => proxy.faults.clear());
    afterAll(async () => {
      for (const each of [...open, direct]) each.close();
      raw.destroy();
      await proxy.stop();
    });

    it('fails a body that is cut off, small or large, and never ends it as if it were whole', async () => {
      for (const sizeBytes of [1_000, 9 * MiB]) {
        const key = `cut/${randomUUID()}`;
        await direct.put(key, randomBytes(sizeBytes));
        const fault = proxy.faults.add({ kind: 'cut-answer', match: isGet });
        const { body } = await store.get(key);
        await expect(buffer(body)).rejects.toMatchObject({ type: 'IntegrityFailed' });
        expect(fault.hits).toBe(1);
        const ranged = proxy.faults.add({ kind: 'cut-answer', match: isGet });
        const part = await store.get(key, { range: { start: 0, end: 500 } });
        await expect(buffer(part.body)).rejects.toMatchObject({ type: 'IntegrityFailed' });
        expect(ranged.hits).toBe(1);
      }
    });

    it('fails a body in which one byte is another, whichever digest is known', async () => {
      const bytes = randomBytes(9 * MiB);
      const bodies = { small: 'hello', whole: bytes, parts: stream(bytes) };
      for (const [name, body] of Object.entries(bodies)) {
        const key = `corrupt/${name}-${randomUUID()}`;
        await direct.put(key, body);
        const fault = proxy.faults.add({ kind: 'corrupt-answer', match: isGet });
        const got = await store.get(key);
        await expect(buffer(got.body), name).rejects.toMatchObject({ type: 'IntegrityFailed' });
        expect(fault.hits).toBe(1);
      }
    });

    it('reads on after passing trouble, and names lasting trouble Unavailable', async () => {
      const key = `trouble/${randomUUID()}`;
      await direct.put(key, 'here');
      const passing = proxy.faults.add({ kind: 'error', match: isGet });
      expect(await text((await store.get(key)).body)).toBe('here');
      expect(passing.hits).toBe(1);
      for (const kind of ['error', 'drop'] as const) {
        const lasting = proxy.faults.add({ kind, times: Infinity });
        await expect(store.get(key)).rejects.toMatchObject({ type: 'Unavailable', retryable: true });
        await expect(store.head(key)).rejects.toMatchObject({ type: 'Unavailable' });
        await expect(store.put(key, 'x')).rejects.toMatchObject({ type: 'Unavailable' });
        await expect(store.list('trouble/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
          type: 'Unavailable',
        });
        expect(lasting.hits).toBeGreaterThan(3);
        lasting.remove();
      }
      await proxy.down();
      await expect(store.get(key)).rejects.toMatchObject({ type: 'Unavailable' });
      await proxy.up();
      expect(await text((await store.get(key)).body)).toBe('here');
    });

    it('names expired credentials as such on every call', async () => {
      const fault = proxy.faults.add({ kind: 'expired-token', times: Infinity });
      const expired = { type: 'CredentialsExpired' };
      await expect(store.get('a')).rejects.toMatchObject(expired);
      await expect(store.head('a')).rejects.toMatchObject(expired);
      await expect(store.put('a', 'x')).rejects.toMatchObject(expired);
      await expect(store.put('a', stream(randomBytes(9 * MiB)))).rejects.toMatchObject(expired);
      await expect(store.delete('a')).rejects.toMatchObject(expired);
      await expect(store.list('a/')[Symbol.asyncIterator]().next()).rejects.toMatchObject(expired);
      expect(fault.hits).toBeGreaterThan(5);
    });

    it('answers Conflict to a first writer whose answer was lost, so that it reads again and finds its own', async () => {
      for (const kind of ['drop-after', 'error-after'] as const) {
        const key = `lost/${randomUUID()}`;
        const fault = proxy.faults.add({ kind, match: isPut });
        await expect(store.put(key, 'mine', { ifNoneMatch: '*' })).rejects.toMatchObject({ type: 'Conflict' });
        expect(fault.hits).toBe(1);
        expect(await text((await store.get(key)).body)).toBe('mine');
      }
    });

    it('gives up on a server that does not answer in time', async () => {
      const impatient = through({ requestTimeoutMs: 200, maxAttempts: 1 });
      const fault = proxy.faults.add({ kind: 'slow', delayMs: 3_000 });
      await expect(impatient.get('a')).rejects.toMatchObject({ type: 'Unavailable' });
      expect(fault.hits).toBe(1);
    });

    it('waits for slow answers that come in time', async () => {
      const key = `slow/${randomUUID()}`;
      await direct.put(key, 'late');
      const fault = proxy.faults.add({ kind: 'slow', delayMs: 300, times: Infinity });
      expect(await text((await store.get(key)).body)).toBe('late');
      expect(fault.hits).toBe(1);
    });

    it('sends a part again that was cut off on its way', async () => {
      const key = `parts/${randomUUID()}`;
      const bytes = randomBytes(17 * MiB);
      const fault = proxy.faults.add({ kind: 'cut-request', match: isPart });
      await store.put(key, stream(bytes));
      expect(fault.hits).toBe(1);
      expect((await buffer((await direct.get(key)).body)).equals(bytes)).toBe(true);
    });

    it('leaves neither object nor upload when a part cannot be sent', async () => {
      const key = `parts/${randomUUID()}`;
      const fault = proxy.faults.add({ kind: 'error', match: isPart, skip: 1, times: Infinity });
      await expect(store.put(key, stream(randomBytes(40 * MiB)))).rejects.toMatchObject({ type: 'Unavailable' });
      expect(fault.hits).toBeGreaterThan(0);
      expect(await direct.head(key)).toBeUndefined();
      expect(await uploadsOf(key)).toEqual([]);
    });

    it('knows its own upload again when the answer to its completion was lost', async () => {
      for (const condition of [{}, { ifNoneMatch: '*' as const }]) {
        const key = `complete/${randomUUID()}`;
        const bytes = randomBytes(9 * MiB);
        const fault = proxy.faults.add({ kind: 'drop-after', match: isComplete });
        const put = await store.put(key, stream(bytes), condition);
        expect(fault.hits).toBe(1);
        expect((await direct.head(key))?.etag).toBe(put.etag);
        expect(await uploadsOf(key)).toEqual([]);
      }
    });

    it('fails a listing that is cut off rather than ending it early', async () => {
      const prefix = `listing/${randomUUID()}`;
      for (let n = 0; n < 20; n += 1) await direct.put(`${prefix}/${n}`, 'x');
      const fault = proxy.faults.add({ kind: 'cut-answer', match: isGet, times: Infinity });
      const listing = async (): Promise<void> => {
        for await (const _each of store.list(`${prefix}/`));
      };
      await expect(listing()).rejects.toMatchObject({ type: 'Unavailable' });
      expect(fault.hits).toBeGreaterThan(0);
    });
  });
}
