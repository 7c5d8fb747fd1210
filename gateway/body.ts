// Request bodies: small ones and JSON are taken in whole, so that they can be read and sent again; others pass as they come.

import type { IncomingMessage } from 'node:http';
import { Transform, type Readable, type TransformCallback } from 'node:stream';

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** Bodies of other kinds than JSON are taken in whole up to here. */
  readonly maxBufferedBytes: number;
}

export type BodyPlan = 'none' | 'whole' | 'stream' | 'too-large';

export function planBody(req: IncomingMessage, isNeeded: boolean, limits: BodyLimits): BodyPlan {
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return 'none';
  const sizeBytes = length === undefined ? undefined : Number(length);
  if (sizeBytes !== undefined && sizeBytes > limits.maxBodyBytes) return 'too-large';
  if (isNeeded || isJson(req)) return 'whole';
  return sizeBytes !== undefined && sizeBytes <= limits.maxBufferedBytes ? 'whole' : 'stream';
}

export const isJson = (req: IncomingMessage): boolean => req.headers['content-type']?.includes('json') ?? false;

/** Calls `done` with the body, or with `undefined` where it is larger than the limit; never, where the sender leaves. */
export function takeWhole(req: IncomingMessage, limitBytes: number, done: (body: Buffer | undefined) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let sizeBytes = 0;
  req.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) {
      req.removeAllListeners('data');
      req.removeAllListeners('end');
      req.resume();
      done(undefined);
    } else if (first === undefined) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  req.on('end', () => done(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more)));
  // The sender left: there is nobody to answer.
  req.on('error', () => undefined);
}

/** The body as it comes, cut with `BodyTooLarge` at the limit. */
export function limitedStream(req: IncomingMessage, limitBytes: number): Readable {
  let sizeBytes = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, next: TransformCallback): void {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) next(new BodyTooLarge(`more than ${limitBytes} bytes`));
      else next(null, chunk);
    },
  });
  req.on('error', (error) => limited.destroy(error));
  req.on('aborted', () => limited.destroy(new Error('the user left')));
  return req.pipe(limited);
}
