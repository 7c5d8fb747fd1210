// The object store in this process's memory, with the same conditions and refusals as a real one: for unit tests.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { SystemError } from '../../dag/failures.js';
import { checkKey, checkPrefix } from './keys.js';
import type { ObjectInfo, ObjectStore, PutOptions, PutResult, StoredObject } from './port.js';
import { verifyBody } from './verified-body.js';

interface Entry {
  readonly info: Required<ObjectInfo>;
  readonly bytes: Buffer;
}

type Buckets = Map<string, Map<string, Entry>>;

const stallMs = 60_000;

function* slicesOf(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}

async function readAll(body: Readable, signal: AbortSignal | undefined): Promise<Buffer> {
  const stopReading = (): void => void body.destroy();
  signal?.addEventListener('abort', stopReading, { once: true });
  try {
    return await buffer(body);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stopReading);
  }
}

/** An `ObjectStore` without a server; buckets but the first come to be by `createBucketIfMissing`. */
export class MemoryObjectStore implements ObjectStore {
  readonly bucketName: string;
  readonly #buckets: Buckets;

  constructor(bucketName = 'memory', buckets: Buckets = new Map([[bucketName, new Map<string, Entry>()]])) {
    this.bucketName = bucketName;
    this.#buckets = buckets;
  }

  bucket(name: string): MemoryObjectStore {
    return new MemoryObjectStore(name, this.#buckets);
  }

  async credentialsExpireAt(): Promise<undefined> {
    return undefined;
  }

  async createBucketIfMissing(): Promise<void> {
    if (!this.#buckets.has(this.bucketName)) this.#buckets.set(this.bucketName, new Map());
  }

  async get(
    key: string,
    options: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
  ): Promise<StoredObject> {
    const { range, signal } = options;
    signal?.throwIfAborted();
    const entry = this.#entries().get(checkKey(key));
    const place = this.#place(key);
    if (entry === undefined)
      throw new SystemError('NotFound', `${place} does not exist.`, { details: { missing: 'key' } });
    if (range !== undefined && range.start >= entry.bytes.length)
      throw new SystemError('InvalidInput', `${place} has no byte ${range.start}: it has ${entry.bytes.length}.`);
    const bytes = range === undefined ? entry.bytes : entry.bytes.subarray(range.start, range.end + 1);
    const source = Readable.from(slicesOf(bytes), { objectMode: false });
    const digest = { algorithm: 'sha256', hex: entry.info.sha256 } as const;
    const body = verifyBody(source, {
      place,
      sizeBytes: bytes.length,
      stallMs,
      ...(range === undefined ? { digest } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    return { ...entry.info, body };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.#entries().get(checkKey(key))?.info;
  }

  async put(key: string, body: Uint8Array | string | Readable, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const bytes = body instanceof Readable ? await readAll(body, options.signal) : Buffer.from(body);
    const entries = this.#entries();
    const standing = entries.get(key)?.info.etag;
    const { ifMatch, ifNoneMatch } = options;
    if ((ifMatch !== undefined && standing !== ifMatch) || (ifNoneMatch !== undefined && standing !== undefined))
      throw new SystemError('Conflict', `${this.#place(key)} is not what the writer expected: read it again.`);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const info = { key, sizeBytes: bytes.length, etag: `"${sha256.slice(0, 32)}"`, modifiedAt: new Date(), sha256 };
    entries.set(key, { info, bytes });
    return { etag: info.etag, sizeBytes: bytes.length, sha256 };
  }

  async delete(key: string): Promise<void> {
    this.#entries().delete(checkKey(key));
  }

  async *list(prefix: string, options: { startAfter?: string; signal?: AbortSignal } = {}): AsyncGenerator<ObjectInfo> {
    const after = options.startAfter === undefined ? undefined : Buffer.from(options.startAfter);
    const found = [...this.#entries().values()]
      .filter(({ info }) => info.key.startsWith(checkPrefix(prefix)))
      .map(({ info }) => ({ info, order: Buffer.from(info.key) }))
      .filter(({ order }) => after === undefined || order.compare(after) > 0)
      .sort((left, right) => left.order.compare(right.order));
    for (const { info } of found) {
      options.signal?.throwIfAborted();
      const { sha256: _sha256, ...listed } = info;
      yield listed;
    }
  }

  async *listChildren(prefix: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<string> {
    const names = new Set<string>();
    for await (const { key } of this.list(prefix, options)) {
      const rest = key.slice(prefix.length);
      names.add(rest.slice(0, rest.indexOf('/') + 1) || rest);
    }
    yield* names;
  }

  #entries(): Map<string, Entry> {
    const entries = this.#buckets.get(this.bucketName);
    if (entries !== undefined) return entries;
    const sentence = `The bucket ${this.bucketName} does not exist: create it or correct its name.`;
    throw new SystemError('NotFound', sentence, { details: { missing: 'bucket' } });
  }

  #place(key: string): string {
    return `s3://${this.bucketName}/${key} in memory`;
  }
}
