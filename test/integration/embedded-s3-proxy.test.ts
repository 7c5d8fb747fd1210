import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { startS3Proxy, type S3Proxy } from '../faults/s3-proxy.js';

const bucket = `proxy-${randomUUID()}`;
let proxy: S3Proxy;
let direct: S3Client;
let through: S3Client;

const client = (endpoint: string): S3Client => {
  const { region, accessKeyId, secretAccessKey } = inject('s3');
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
};

const put = (s3: S3Client, key: string, body: string | Buffer = 'content') =>
  s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));

const get = async (s3: S3Client, key: string): Promise<string> => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? '';
};

const thrown = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('it was expected to fail, and did not');
  return error;
};

beforeAll(async () => {
  proxy = await startS3Proxy(inject('s3'), 7);
  direct = client(inject('s3').endpoint);
  through = client(proxy.endpoint);
  await direct.send(new CreateBucketCommand({ Bucket: bucket }));
});

beforeEach(() => proxy.faults.clear());

afterAll(async () => {
  direct.destroy();
  through.destroy();
  await proxy.stop();
});

describe('the fault proxy', () => {
  it('passes signed requests and large bodies as they are', async () => {
    const body = Buffer.alloc(6 * 1024 * 1024, 'pawl');
    await put(through, 'dir/a key +%.txt', body);
    expect(await get(through, 'dir/a key +%.txt')).toBe(body.toString());
  });

  it('answers an error without telling the server, as often as asked, for the requests that match', async () => {
    const fault = proxy.faults.add({
      kind: 'error',
      times: 2,
      match: (method, path) => method === 'PUT' && path.endsWith('/b'),
    });
    await put(through, 'other');
    expect((await thrown(put(through, 'b'))).name).toBe('SlowDown');
    expect((await thrown(put(through, 'b'))).name).toBe('SlowDown');
    expect((await thrown(get(direct, 'b'))).name).toBe('NoSuchKey');
    await put(through, 'b');
    expect(fault.hits).toBe(2);
  });

  it.each(['error-after', 'drop-after'] as const)(
    '%s loses the answer to a request that was carried out',
    async (kind) => {
      const fault = proxy.faults.add({ kind });
      await thrown(put(through, kind));
      expect(await get(direct, kind)).toBe('content');
      expect(fault.hits).toBe(1);
    },
  );

  it('drops a request before it is carried out', async () => {
    const fault = proxy.faults.add({ kind: 'drop' });
    await thrown(put(through, 'dropped'));
    expect((await thrown(get(direct, 'dropped'))).name).toBe('NoSuchKey');
    expect(fault.hits).toBe(1);
  });

  it('cuts an object off in the middle of its download', async () => {
    await put(direct, 'cut', Buffer.alloc(1024 * 1024, 1));
    const fault = proxy.faults.add({ kind: 'cut-answer' });
    const { Body } = await through.send(new GetObjectCommand({ Bucket: bucket, Key: 'cut' }));
    let received = 0;
    await thrown(
      (async () => {
        for await (const chunk of Body as AsyncIterable<Buffer>) received += chunk.length;
      })(),
    );
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(1024 * 1024);
    expect(fault.hits).toBe(1);
  });

  it('cuts an object off in the middle of its upload, and the server keeps nothing of it', async () => {
    const fault = proxy.faults.add({ kind: 'cut-request' });
    await thrown(put(through, 'cut-upload', Buffer.alloc(1024 * 1024, 1)));
    expect((await thrown(get(direct, 'cut-upload'))).name).toBe('NoSuchKey');
    expect(fault.hits).toBe(1);
  });

  it('changes a byte of an answer', async () => {
    await put(direct, 'bent', 'content');
    const fault = proxy.faults.add({ kind: 'corrupt-answer' });
    const { Body } = await through.send(new GetObjectCommand({ Bucket: bucket, Key: 'bent', ChecksumMode: undefined }));
    const read = await Body?.transformToString().catch(() => 'refused by its checksum');
    expect(read).not.toBe('content');
    expect(fault.hits).toBe(1);
  });

  it('says that a token has expired', async () => {
    const fault = proxy.faults.add({ kind: 'expired-token' });
    expect((await thrown(get(through, 'other'))).name).toBe('ExpiredToken');
    expect(fault.hits).toBe(1);
  });

  it('lets a slow request through in the end', async () => {
    const fault = proxy.faults.add({ kind: 'slow', delayMs: 100 });
    await put(through, 'slow');
    expect(await get(direct, 'slow')).toBe('content');
    expect(fault.hits).toBe(1);
  });

  it('lets the first requests pass that it was told to skip', async () => {
    const fault = proxy.faults.add({ kind: 'error', skip: 1 });
    await put(through, 'skipped');
    await thrown(put(through, 'skipped'));
    expect(fault.hits).toBe(1);
  });

  it('harms the same requests again for the same seed', async () => {
    const harmed = async (): Promise<boolean[]> => {
      const other = await startS3Proxy(inject('s3'), 42);
      const s3 = client(other.endpoint);
      other.faults.add({ kind: 'error', times: Infinity, rate: 0.5 });
      const results: boolean[] = [];
      for (let index = 0; index < 12; index += 1) {
        results.push(
          await put(s3, 'seeded').then(
            () => false,
            () => true,
          ),
        );
      }
      s3.destroy();
      await other.stop();
      return results;
    };
    const first = await harmed();
    expect(first).toContain(true);
    expect(first).toContain(false);
    expect(await harmed()).toEqual(first);
  });

  it('refuses connections while it is down and is there again on the same port', async () => {
    await proxy.down();
    const fresh = client(proxy.endpoint);
    expect(await thrown(put(fresh, 'down'))).toMatchObject({ code: 'ECONNREFUSED' });
    fresh.destroy();
    await proxy.up();
    // The connections of before are gone, which their owner may learn only now.
    await put(through, 'down').catch(() => undefined);
    await put(through, 'down');
    expect(await get(direct, 'down')).toBe('content');
  });
});
