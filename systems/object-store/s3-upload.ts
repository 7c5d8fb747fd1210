// One multipart upload: parts under way side by side, a CRC for each part and for the whole, all or nothing.
//
// The SHA-256 of a stream is known only at its end, when S3 takes no more metadata; so the server keeps and checks a CRC-32
// over the whole object (`FULL_OBJECT`), which a reader checks again, and the SHA-256 goes to the caller. Bytes that are in
// memory as a whole carry their SHA-256 as metadata as well.

import { createHash, randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { CompletedPart, S3 } from '@aws-sdk/client-s3';
import { SystemError } from '../../dag/failures.js';
import type { BodyPart } from './body-parts.js';
import type { PutOptions, PutResult } from './port.js';

const maxParts = 10_000;
const completeTimeoutMs = 10 * 60_000;
const cleanUpTimeoutMs = 10_000;
/** Names the upload that made an object, so that a writer whose last answer was lost knows its own again. */
const uploadIdKey = 'pawl-upload';

export interface MultipartUpload {
  readonly client: S3;
  readonly bucket: string;
  readonly key: string;
  readonly partsAtOnce: number;
  /** For one try of one part. */
  timeoutMs(sizeBytes: number): number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly options: PutOptions;
  /** Ends a source that is still being read, once the upload has failed. */
  stopReading?(): void;
}

const crc32Base64 = (value: number): string => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
};

interface Sent {
  readonly parts: readonly CompletedPart[];
  readonly crc32: number;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Sends every part; throws what the first failing one threw, once all others have come to rest. */
async function sendParts(
  upload: MultipartUpload,
  uploadId: string,
  parts: AsyncIterable<BodyPart> | Iterable<BodyPart>,
): Promise<Sent> {
  const stop = new AbortController();
  const signal =
    upload.options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, upload.options.signal]);
  const underWay = new Set<Promise<void>>();
  const done: CompletedPart[] = [];
  const hash = createHash('sha256');
  let failure: { readonly error: unknown } | undefined;
  let wholeCrc32 = 0;
  let sizeBytes = 0;

  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort();
    upload.stopReading?.();
  };
  const sendPart = async (part: BodyPart): Promise<void> => {
    const checksum = crc32Base64(crc32(part.bytes));
    const input = {
      Bucket: upload.bucket,
      Key: upload.key,
      UploadId: uploadId,
      PartNumber: part.number,
      Body: part.bytes,
      ContentLength: part.bytes.length,
      ChecksumCRC32: checksum,
    };
    try {
      const requestTimeout = upload.timeoutMs(part.bytes.length);
      const answer = await upload.client.uploadPart(input, { abortSignal: signal, requestTimeout });
      done.push({ PartNumber: part.number, ETag: answer.ETag, ChecksumCRC32: checksum });
      part.release();
    } catch (error) {
      fail(error);
    }
  };

  try {
    for await (const part of parts) {
      if (failure !== undefined) break;
      signal.throwIfAborted();
      if (part.number > maxParts) throw tooLarge(upload, sizeBytes);
      const sending = sendPart(part).finally(() => underWay.delete(sending));
      underWay.add(sending);
      hash.update(part.bytes);
      wholeCrc32 = crc32(part.bytes, wholeCrc32);
      sizeBytes += part.bytes.length;
      if (underWay.size >= upload.partsAtOnce) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  } catch (error) {
    fail(error);
  }
  // A part that arrives after the abort would stay, so nothing goes on before all have come to rest.
  await Promise.all(underWay);
  if (failure !== undefined) throw failure.error;
  done.sort((left, right) => (left.PartNumber ?? 0) - (right.PartNumber ?? 0));
  return { parts: done, crc32: wholeCrc32, sha256: hash.digest('hex'), sizeBytes };
}

const tooLarge = (upload: MultipartUpload, sizeBytes: number): SystemError =>
  new SystemError(
    'InvalidInput',
    `s3://${upload.bucket}/${upload.key} would be larger than ${sizeBytes} bytes, which is more than ${maxParts} parts hold: split the body or raise partSizeBytes.`,
  );

/** The ETag of the object where this very upload made it. */
async function findOwn(upload: MultipartUpload, ownId: string): Promise<string | undefined> {
  const target = { Bucket: upload.bucket, Key: upload.key };
  const head = await upload.client.headObject(target).catch(() => undefined);
  return head?.Metadata?.[uploadIdKey] === ownId ? head.ETag : undefined;
}

/** Uploads in parts; on any failure nothing is left behind, unless the store is out of reach for the clean-up too. */
export async function uploadInParts(
  upload: MultipartUpload,
  parts: AsyncIterable<BodyPart> | Iterable<BodyPart>,
): Promise<PutResult> {
  const { client, options } = upload;
  const target = { Bucket: upload.bucket, Key: upload.key };
  const ownId = randomUUID();
  const create = {
    ...target,
    ChecksumAlgorithm: 'CRC32' as const,
    ChecksumType: 'FULL_OBJECT' as const,
    Metadata: { ...upload.metadata, [uploadIdKey]: ownId },
    ...(options.contentType === undefined ? {} : { ContentType: options.contentType }),
  };
  const abortSignal = options.signal;
  const { UploadId } = await client.createMultipartUpload(create, abortSignal === undefined ? {} : { abortSignal });
  let completing = false;
  let sent: Sent | undefined;
  try {
    sent = await sendParts(upload, UploadId ?? '', parts);
    completing = true;
    const complete = {
      ...target,
      UploadId,
      MultipartUpload: { Parts: [...sent.parts] },
      ChecksumCRC32: crc32Base64(sent.crc32),
      ChecksumType: 'FULL_OBJECT' as const,
      ...(options.ifMatch === undefined ? {} : { IfMatch: options.ifMatch }),
      ...(options.ifNoneMatch === undefined ? {} : { IfNoneMatch: options.ifNoneMatch }),
    };
    const answer = await client.completeMultipartUpload(complete, { requestTimeout: completeTimeoutMs });
    return { etag: answer.ETag ?? '', sizeBytes: sent.sizeBytes, sha256: sent.sha256 };
  } catch (error) {
    await client
      .abortMultipartUpload({ ...target, UploadId }, { requestTimeout: cleanUpTimeoutMs })
      .catch(() => undefined);
    // After the abort a completion can no longer land, so what stands there now is the last word on a lost answer.
    const etag = completing ? await findOwn(upload, ownId) : undefined;
    if (etag !== undefined && sent !== undefined) return { etag, sizeBytes: sent.sizeBytes, sha256: sent.sha256 };
    throw error;
  }
}
