// A stream that passes an object's bytes on and fails where they are cut off, stall, or do not match their digest.

import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import type { Readable, TransformCallback } from 'node:stream';
import { crc32 } from 'node:zlib';
import { SystemError } from '../../dag/failures.js';

export type Digest = { readonly algorithm: 'sha256' | 'crc32'; readonly hex: string };

export interface BodyExpectation {
  /** Bucket and key, for the sentence. */
  readonly place: string;
  readonly sizeBytes?: number;
  readonly digest?: Digest;
  /** Longest silence of the source while the reader waits. */
  readonly stallMs: number;
  readonly signal?: AbortSignal;
}

export const crc32Hex = (value: number): string => value.toString(16).padStart(8, '0');

class VerifiedBody extends Transform {
  readonly #expected: BodyExpectation;
  readonly #sha256;
  readonly #stallTimer;
  #crc32 = 0;
  #sizeBytes = 0;
  #lastByteAt = performance.now();

  constructor(expected: BodyExpectation) {
    super();
    this.#expected = expected;
    this.#sha256 = expected.digest?.algorithm === 'sha256' ? createHash('sha256') : undefined;
    const checkEveryMs = Math.max(10, expected.stallMs / 4);
    this.#stallTimer = setInterval(() => this.#checkStall(), checkEveryMs).unref();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#sizeBytes += chunk.length;
    this.#lastByteAt = performance.now();
    if (this.#sha256 !== undefined) this.#sha256.update(chunk);
    else if (this.#expected.digest !== undefined) this.#crc32 = crc32(chunk, this.#crc32);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const { place, sizeBytes, digest } = this.#expected;
    if (sizeBytes !== undefined && this.#sizeBytes !== sizeBytes) return done(this.cutOff());
    if (digest === undefined) return done();
    const actual = this.#sha256 === undefined ? crc32Hex(this.#crc32) : this.#sha256.digest('hex');
    if (actual === digest.hex) return done();
    const sentence = `The bytes of ${place} have the ${digest.algorithm} ${actual}, not ${digest.hex}: read it again, and if that fails restore it.`;
    done(new SystemError('IntegrityFailed', sentence, { details: { ...digest, actual } }));
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#stallTimer);
    done(error);
  }

  cutOff(cause?: unknown): SystemError {
    const { place, sizeBytes } = this.#expected;
    const sentence = `The bytes of ${place} were cut off after ${this.#sizeBytes} of ${sizeBytes ?? 'an unknown number of'} bytes: read it again.`;
    return new SystemError('IntegrityFailed', sentence, { cause, details: { receivedBytes: this.#sizeBytes } });
  }

  #checkStall(): void {
    // A full read buffer means that the reader is slow, not the store.
    if (this.readableLength >= this.readableHighWaterMark) this.#lastByteAt = performance.now();
    if (performance.now() - this.#lastByteAt < this.#expected.stallMs) return;
    const sentence = `The bytes of ${this.#expected.place} stopped after ${this.#sizeBytes} bytes for ${this.#expected.stallMs} ms: check the endpoint, and read it again.`;
    this.destroy(new SystemError('Unavailable', sentence));
  }
}

/** Passes `source` on; fails with `IntegrityFailed` (cut off, wrong bytes), `Unavailable` (stalled) or the signal's reason. */
export function verifyBody(source: Readable, expected: BodyExpectation): Readable {
  const body = new VerifiedBody(expected);
  const { signal } = expected;
  const onAbort = (): void => void body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  source.once('error', (error) => body.destroy(body.cutOff(error)));
  source.once('close', () => {
    if (!source.readableEnded) body.destroy(body.cutOff());
  });
  body.once('close', () => {
    signal?.removeEventListener('abort', onAbort);
    if (!source.readableEnded) source.destroy();
  });
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return source.pipe(body);
}
