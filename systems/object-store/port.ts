// What the lifecycle needs of an object store. Conditional writes carry Pawl's promise, so every implementation has them.

import type { Readable } from 'node:stream';

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedAt: Date;
  /** SHA-256 in hex, where the object was put by Pawl; absent on listings. */
  readonly sha256?: string;
}

export interface StoredObject extends ObjectInfo {
  /** Fails with `IntegrityFailed` at its end when the bytes do not match the digest, and before it when they are cut off. */
  readonly body: Readable;
}

export interface PutOptions {
  /** Writes only over exactly this content. */
  readonly ifMatch?: string;
  /** Writes only where there is nothing. */
  readonly ifNoneMatch?: '*';
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface PutResult {
  readonly etag: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * One bucket. Every method throws a SystemError: `Unavailable` (retry), `CredentialsExpired`, `PermissionDenied`,
 * `NotFound` (no such bucket, or `get` of nothing), `InvalidInput` (a key that `objectKey` refuses).
 */
export interface ObjectStore {
  readonly bucketName: string;
  /** When the credentials end for good; `undefined` where they do not, or are renewed by themselves. */
  credentialsExpireAt(): Promise<Date | undefined>;
  /** The same store and credentials, another bucket. */
  bucket(name: string): ObjectStore;
  /** Streams an object; throws `NotFound`. `range` is inclusive, and turns the digest check off. */
  get(key: string, options?: { range?: { start: number; end: number }; signal?: AbortSignal }): Promise<StoredObject>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /**
   * Stores a whole object or nothing. Streams are sent in parts, so memory stays bounded.
   * Throws `Conflict` where a condition does not hold: then read again, since the answer to an earlier try may have been lost.
   */
  put(key: string, body: Uint8Array | string | Readable, options?: PutOptions): Promise<PutResult>;
  /** Idempotent. */
  delete(key: string): Promise<void>;
  /** In key order, page by page. */
  list(prefix: string, options?: { startAfter?: string; signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /**
   * The names of the objects (`a.json`) and folders (`a/`) right below `prefix`, which is empty or ends with a slash: each
   * once, page by page, in as many requests as there are pages, whatever lies in the folders.
   */
  listChildren(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<string>;
}
