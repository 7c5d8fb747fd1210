// Cuts a stream into parts for an upload. Part buffers go back into a pool, so memory is bounded by the parts under way.

import type { Readable } from 'node:stream';

/** S3 allows 10,000 parts; growing ones reach 300 GB from 8 MiB without a hint of the final size. */
const partsBeforeGrowth = 2_500;

/** The size of the part with this number, counted from 1. */
const partSizeAt = (partNumber: number, firstPartBytes: number): number =>
  firstPartBytes * 2 ** Math.floor((partNumber - 1) / partsBeforeGrowth);

export interface BodyPart {
  readonly number: number;
  readonly bytes: Buffer;
  readonly last: boolean;
  /** Call once nobody reads `bytes` any more. */
  release(): void;
}

/** Full parts in order, and a last one that may be shorter (or empty, where the body is). */
export async function* partsOfStream(
  body: Readable,
  firstPartBytes: number,
): AsyncGenerator<BodyPart, void, undefined> {
  const pool: Buffer[] = [];
  let number = 1;
  let filled = 0;
  const take = (sizeBytes: number): Buffer => {
    const pooled = pool.pop();
    return pooled?.length === sizeBytes ? pooled : Buffer.allocUnsafeSlow(sizeBytes);
  };
  let buffer = take(firstPartBytes);
  const part = (last: boolean): BodyPart => {
    const whole = buffer;
    return { number, bytes: whole.subarray(0, filled), last, release: () => void pool.push(whole) };
  };
  for await (const piece of body) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array);
    for (let offset = 0; offset < chunk.length;) {
      // Only when more bytes follow is it known that a full part was not the last.
      if (filled === buffer.length) {
        yield part(false);
        number += 1;
        filled = 0;
        buffer = take(partSizeAt(number, firstPartBytes));
      }
      const slice = chunk.subarray(offset, offset + buffer.length - filled);
      buffer.set(slice, filled);
      filled += slice.length;
      offset += slice.length;
    }
  }
  yield part(true);
}

/** The same for bytes that are in memory already; nothing is copied. */
export function* partsOfBytes(bytes: Buffer, firstPartBytes: number): Generator<BodyPart, void, undefined> {
  const release = (): void => undefined;
  let offset = 0;
  for (let number = 1; ; number += 1) {
    const end = offset + partSizeAt(number, firstPartBytes);
    const last = end >= bytes.length;
    yield { number, bytes: bytes.subarray(offset, end), last, release };
    if (last) return;
    offset = end;
  }
}
