import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partsOfBytes, partsOfStream } from '../../systems/object-store/body-parts.js';
import { verifyBody } from '../../systems/object-store/verified-body.js';

const expectation = { place: 's3://pawl/a', stallMs: 60_000 };
const chunks = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 20 },
);

describe('a verified body', () => {
  it('passes on the very bytes, and fails when any digest or length is another', async () => {
    await fc.assert(
      fc.asyncProperty(chunks, async (pieces) => {
        const whole = Buffer.concat(pieces);
        const sha256 = { algorithm: 'sha256', hex: createHash('sha256').update(whole).digest('hex') } as const;
        const crc = { algorithm: 'crc32', hex: crc32(whole).toString(16).padStart(8, '0') } as const;
        const source = (): Readable => Readable.from(pieces, { objectMode: false });
        const sizeBytes = whole.length;
        for (const digest of [sha256, crc]) {
          const read = await buffer(verifyBody(source(), { ...expectation, sizeBytes, digest }));
          expect(read.equals(whole)).toBe(true);
          const wrong = { ...digest, hex: digest.hex.replace(/./, (digit) => (digit === '0' ? '1' : '0')) };
          const failing = buffer(verifyBody(source(), { ...expectation, sizeBytes, digest: wrong }));
          await expect(failing).rejects.toMatchObject({ type: 'IntegrityFailed' });
        }
        for (const other of [sizeBytes + 1, sizeBytes - 1]) {
          const failing = buffer(verifyBody(source(), { ...expectation, sizeBytes: other }));
          await expect(failing).rejects.toMatchObject({ type: 'IntegrityFailed' });
        }
      }),
      { numRuns: 50 },
    );
  });

  it('fails when its source breaks or is closed early', async () => {
    for (const harm of [new Error('ECONNRESET'), undefined]) {
      const source = new PassThrough();
      source.write('half');
      const reading = buffer(verifyBody(source, { ...expectation, sizeBytes: 8 }));
      setImmediate(() => source.destroy(harm));
      await expect(reading).rejects.toMatchObject({ type: 'IntegrityFailed' });
    }
  });

  it('fails when its source says nothing for too long', async () => {
    const source = new PassThrough();
    source.write('half');
    const reading = buffer(verifyBody(source, { ...expectation, sizeBytes: 8, stallMs: 40 }));
    await expect(reading).rejects.toMatchObject({ type: 'Unavailable' });
    expect(source.destroyed).toBe(true);
  });

  it('does not take a slow reader for a stall', async () => {
    const pieces = Array.from({ length: 20 }, () => Buffer.alloc(65_536));
    const body = verifyBody(Readable.from(pieces, { objectMode: false }), { ...expectation, stallMs: 40 });
    body.once('readable', () => undefined);
    await sleep(200);
    expect((await buffer(body)).length).toBe(20 * 65_536);
  });

  it('closes its source when the reader goes away', async () => {
    const source = new PassThrough();
    const body = verifyBody(source, expectation);
    body.destroy();
    await sleep(5);
    expect(source.destroyed).toBe(true);
  });
});

describe('the parts of a body', () => {
  it('are full but for the last, in order, and make up the body, from bytes and from a stream', async () => {
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 64 }), async (pieces, partBytes) => {
        const whole = Buffer.concat(pieces);
        const ofStream: { number: number; bytes: Buffer; last: boolean }[] = [];
        for await (const part of partsOfStream(Readable.from(pieces, { objectMode: false }), partBytes)) {
          ofStream.push({ ...part, bytes: Buffer.from(part.bytes) });
          part.release();
        }
        for (const parts of [ofStream, [...partsOfBytes(whole, partBytes)]]) {
          expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(whole)).toBe(true);
          expect(parts.map(({ number }) => number)).toEqual(parts.map((_, index) => index + 1));
          expect(parts.map(({ last }) => last)).toEqual(parts.map((_, index) => index === parts.length - 1));
          expect(parts.slice(0, -1).every(({ bytes }) => bytes.length === partBytes)).toBe(true);
          if (whole.length > 0) expect(parts.at(-1)?.bytes.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
