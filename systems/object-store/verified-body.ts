// A stream that passes an object's bytes on and fails where they are cut off, stall, or do not match their digest.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
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

// A plain Readable over the source's events: half the work of a Transform, and downloads are bound by it.
class VerifiedBody extends Readable {
  readonly #source: Readable;
  readonly #expected: BodyExpectation;
  readonly #sha256;
  readonly #stallTimer;
  #crc32 = 0;
  #sizeBytes = 0;
  #waitingSince: number | undefined;

  constructor(source: Readable, expected: BodyExpectation) {
    // Less than a socket gives at once: pieces that wait together would be copied into one for a reader by `for await`.
    super({ highWaterMark: 16 * 1024 });
    this.#source = source;
    this.#expected = expected;
    this.#sha256 = expected.digest?.algorithm === 'sha256' ? createHash('sha256') : undefined;
    this.#stallTimer = setInterval(() => this.#checkStall(), Math.max(10, expected.stallMs / 4)).unref();
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.once('end', () => this.#finish());
    source.once('error', (error) => this.destroy(this.#cutOff(error)));
    source.once('close', () => {
      if (!source.readableEnded) this.destroy(this.#cutOff());
    });
    source.pause();
  }

  override _read(): void {
    this.#waitingSince ??= performance.now();
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#stallTimer);
    if (!this.#source.readableEnded) this.#source.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#sha256 !== undefined) this.#sha256.update(chunk);
    else if (this.#expected.digest !== undefined) this.#crc32 = crc32(chunk, this.#crc32);
    if (this.push(chunk)) this.#waitingSince = performance.now();
    else {
      // The reader is slow, not the store.
      this.#waitingSince = undefined;
      this.#source.pause();
    }
  }

  #finish(): void {
    const { place, sizeBytes, digest } = this.#expected;
    if (sizeBytes !== undefined && this.#sizeBytes !== sizeBytes) return void this.destroy(this.#cutOff());
    if (digest !== undefined) {
      const actual =
        this.#sha256 === undefined ? this.#crc32.toString(16).padStart(8, '0') : this.#sha256.digest('hex');
      if (actual !== digest.hex) {
        const sentence = `The bytes of ${place} have the ${digest.algorithm} ${actual}, not ${digest.hex}: read it again, and if that fails restore it.`;
        return void this.destroy(new SystemError('IntegrityFailed', sentence, { details: { ...digest, actual } }));
      }
    }
    clearInterval(this.#stallTimer);
    this.push(null);
  }

  #cutOff(cause?: unknown): SystemError {
    const { place, sizeBytes } = this.#expected;
    const sentence = `The bytes of ${place} were cut off after ${this.#sizeBytes} of ${sizeBytes ?? 'an unknown number of'} bytes: read it again.`;
    return new SystemError('IntegrityFailed', sentence, { cause, details: { receivedBytes: this.#sizeBytes } });
  }

  #checkStall(): void {
    if (this.#waitingSince === undefined || performance.now() - this.#waitingSince < this.#expected.stallMs) return;
    const sentence = `The bytes of ${this.#expected.place} stopped after ${this.#sizeBytes} bytes for ${this.#expected.stallMs} ms: check the endpoint, and read it again.`;
    this.destroy(new SystemError('Unavailable', sentence));
  }
}

/** Passes `source` on; fails with `IntegrityFailed` (cut off, wrong bytes), `Unavailable` (stalled) or the signal's reason. */
export function verifyBody(source: Readable, expected: BodyExpectation): Readable {
  const body = new VerifiedBody(source, expected);
  const { signal } = expected;
  const onAbort = (): void => void body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  body.once('close', () => signal?.removeEventListener('abort', onAbort));
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return body;
}
