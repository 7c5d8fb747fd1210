// One transfer of an object as the whole of a process, so that its peak of memory is its own.
// `node s3-transfer.js put|get pawl|sdk BUCKET KEY SIZE_BYTES`, S3 by the standard variables; tells what it took in a line of JSON.

import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { s3Defaults } from '../../systems/object-store/s3-client.js';

const [verb, side, bucket = '', key = '', size = '0'] = process.argv.slice(2);
const sizeBytes = Number(size);
const chunk = Buffer.alloc(64 * 1024);
// Bytes that nothing on the way could compress.
for (let at = 0, seed = 1; at < chunk.length; at++) chunk[at] = (seed = (seed * 48_271) % 2_147_483_647) & 0xff;

/** The source costs nothing: what is measured is the way to the server. */
const source = (): Readable =>
  Readable.from(
    (function* () {
      for (let left = sizeBytes; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length));
    })(),
    { objectMode: false, highWaterMark: 256 * 1024 },
  );

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  let received = 0;
  for await (const piece of body) received += piece.length;
  if (received !== sizeBytes) throw new Error(`${received} of ${sizeBytes} bytes arrived`);
}

const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? '';
const pawl = () => new S3ObjectStore({ bucket, endpoint });
const sdk = () => new S3Client({ endpoint, forcePathStyle: true });

const ways: Readonly<Record<string, () => Promise<void>>> = {
  'put pawl': async () => void (await pawl().put(key, source())),
  'put sdk': async () => {
    // The same parts, as many of them under way.
    const { partSizeBytes: partSize, partsAtOnce: queueSize } = s3Defaults;
    await new Upload({
      client: sdk(),
      params: { Bucket: bucket, Key: key, Body: source() },
      partSize,
      queueSize,
    }).done();
  },
  'get pawl': async () => drain((await pawl().get(key)).body),
  'get sdk': async () => {
    const { Body } = await sdk().send(new GetObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }));
    await drain(Body as Readable);
  },
};

const go = ways[`${verb} ${side}`];
if (go === undefined) throw new Error(`no way ${verb} ${side}`);
const startedAtMs = performance.now();
await go();
const tookMs = performance.now() - startedAtMs;
const { user, system } = process.cpuUsage();
const peakKiB = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
process.stdout.write(`${JSON.stringify({ tookMs, cpuMs: (user + system) / 1000, peakBytes: peakKiB * 1024 })}\n`, () =>
  process.exit(0),
);
