// The object store on any S3-compatible server.
//
// Reads are tried again by the SDK. So are conditional writes: where only the answer of a first try was lost, the second
// finds its own content and answers `Conflict`, and the caller reads again, as the port says.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { GetObjectCommandOutput, HeadObjectCommandOutput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { SystemError } from '../../dag/failures.js';
import { partsOfBytes, partsOfStream } from './body-parts.js';
import type { BodyPart } from './body-parts.js';
import { checkKey, checkPrefix } from './keys.js';
import type { ObjectInfo, ObjectStore, PutOptions, PutResult, StoredObject } from './port.js';
import { aws, connectS3, s3Defaults } from './s3-client.js';
import type { S3Connection, S3Settings } from './s3-client.js';
import { isMissingBucket, s3Failure } from './s3-errors.js';
import { uploadInParts } from './s3-upload.js';
import type { MultipartUpload } from './s3-upload.js';
import { verifyBody } from './verified-body.js';
import type { Digest } from './verified-body.js';

const sha256Key = 'pawl-sha256';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  /** Where the SDK found them. */
  readonly $source?: Readonly<Record<string, unknown>>;
}

/** What the server or Pawl knows of the whole object; composite checksums (`…-3`) say nothing about the bytes in a row. */
function digestOf(output: GetObjectCommandOutput): Digest | undefined {
  const sha256 = output.Metadata?.[sha256Key];
  if (sha256 !== undefined) return { algorithm: 'sha256', hex: sha256 };
  const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');
  const { ChecksumSHA256, ChecksumCRC32 } = output;
  if (ChecksumSHA256?.includes('-') === false) return { algorithm: 'sha256', hex: hex(ChecksumSHA256) };
  if (ChecksumCRC32?.includes('-') === false) return { algorithm: 'crc32', hex: hex(ChecksumCRC32) };
  return undefined;
}

function infoOf(key: string, output: HeadObjectCommandOutput | GetObjectCommandOutput): ObjectInfo {
  const sha256 = output.Metadata?.[sha256Key];
  const wholeBytes = output.ContentRange?.split('/')[1];
  return {
    key,
    sizeBytes: wholeBytes === undefined ? (output.ContentLength ?? 0) : Number(wholeBytes),
    etag: output.ETag ?? '',
    modifiedAt: output.LastModified ?? new Date(0),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

const sendOptions = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };

/** An `ObjectStore` over `@aws-sdk/client-s3`; `close` it when the process is done with S3. */
export class S3ObjectStore implements ObjectStore {
  readonly bucketName: string;
  readonly #settings: S3Settings;
  readonly #connection: S3Connection;

  constructor(settings: S3Settings, connection = connectS3(settings)) {
    this.bucketName = settings.bucket;
    this.#settings = settings;
    this.#connection = connection;
  }

  bucket(name: string): S3ObjectStore {
    return new S3ObjectStore({ ...this.#settings, bucket: name }, this.#connection);
  }

  close(): void {
    this.#connection.close();
  }

  /** The variables by which a program on another host reaches the same store, with credentials of its own. */
  async programLocation(): Promise<Readonly<Record<string, string>>> {
    const { config } = await this.#connection.client();
    const region = await config.region();
    return {
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      ...(this.#connection.endpoint === aws ? {} : { AWS_ENDPOINT_URL_S3: this.#connection.endpoint }),
    };
  }

  /** The same with this process's credentials, as they are now: the program cannot renew them. */
  async programEnvironment(): Promise<Readonly<Record<string, string>>> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials();
    return {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
      ...(await this.programLocation()),
    };
  }

  /** When the credentials of `programEnvironment` end; `undefined` where they do not. */
  async programCredentialsExpireAt(): Promise<Date | undefined> {
    return (await this.#credentials()).expiration;
  }

  async credentialsExpireAt(): Promise<Date | undefined> {
    const { expiration, $source } = await this.#credentials();
    // Those from the environment or from code are what they are; every other source gives new ones in time.
    const renewed = $source?.['CREDENTIALS_ENV_VARS'] === undefined && $source?.['CREDENTIALS_CODE'] === undefined;
    return renewed ? undefined : expiration;
  }

  async #credentials(): Promise<Credentials> {
    const { config } = await this.#connection.client();
    return await config.credentials();
  }

  /** Idempotent. Throws `PermissionDenied` where the bucket is someone else's. */
  async createBucketIfMissing(): Promise<void> {
    const target = { Bucket: this.bucketName };
    const client = await this.#connection.client();
    try {
      await client.headBucket(target);
      return;
    } catch (error) {
      if (this.#failure(error, 'find', '').type !== 'NotFound') throw this.#failure(error, 'find', '');
    }
    try {
      const region = await client.config.region();
      const place = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'EU' } };
      await client.createBucket({ ...target, ...place });
    } catch (error) {
      const code = (error as Error).name;
      if (code === 'BucketAlreadyOwnedByYou') return;
      if (code === 'BucketAlreadyExists')
        throw new SystemError(
          'PermissionDenied',
          `The bucket ${this.bucketName} at ${this.#connection.endpoint} belongs to someone else: choose another name.`,
        );
      throw this.#failure(error, 'create', '');
    }
  }

  async get(
    key: string,
    options: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
  ): Promise<StoredObject> {
    const { range, signal } = options;
    const input = {
      Bucket: this.bucketName,
      Key: checkKey(key),
      ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
    };
    const client = await this.#connection.client();
    const output = await this.#attempt('read', key, signal, () => client.getObject(input, sendOptions(signal)));
    const digest = range === undefined ? digestOf(output) : undefined;
    const body = verifyBody(output.Body instanceof Readable ? output.Body : Readable.from([]), {
      place: `s3://${this.bucketName}/${key} at ${this.#connection.endpoint}`,
      stallMs: this.#settings.stallMs ?? s3Defaults.stallMs,
      ...(output.ContentLength === undefined ? {} : { sizeBytes: output.ContentLength }),
      ...(digest === undefined ? {} : { digest }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { ...infoOf(key, output), body };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const input = { Bucket: this.bucketName, Key: checkKey(key) };
    const client = await this.#connection.client();
    try {
      return infoOf(key, await client.headObject(input));
    } catch (error) {
      const failure = this.#failure(error, 'look up', key);
      if (failure.type === 'NotFound') return undefined;
      if (failure.type !== 'PermissionDenied' && failure.type !== 'InvalidInput') throw failure;
      // The answer to HEAD has no body, so it cannot say why: credentials that expired look like a bad request.
      const found = await this.get(key);
      found.body.destroy();
      const { body: _body, ...info } = found;
      return info;
    }
  }

  async put(key: string, body: Uint8Array | string | Readable, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key);
    options.signal?.throwIfAborted();
    if (body instanceof Readable) return await this.#putStream(key, body, options);
    const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
    try {
      if (bytes.length <= this.#partSizeBytes) return await this.#putWhole(key, bytes, options);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const parts = partsOfBytes(bytes, this.#partSizeBytes);
      return await uploadInParts({ ...(await this.#upload(key, options)), metadata: { [sha256Key]: sha256 } }, parts);
    } catch (error) {
      throw this.#writeFailure(error, key, options);
    }
  }

  async delete(key: string): Promise<void> {
    const input = { Bucket: this.bucketName, Key: checkKey(key) };
    const client = await this.#connection.client();
    try {
      await client.deleteObject(input);
    } catch (error) {
      const failure = this.#failure(error, 'delete', key);
      if (failure.type !== 'NotFound' || isMissingBucket(failure)) throw failure;
    }
  }

  async *list(prefix: string, options: { startAfter?: string; signal?: AbortSignal } = {}): AsyncGenerator<ObjectInfo> {
    const from = options.startAfter === undefined ? {} : { StartAfter: options.startAfter };
    for await (const { Contents = [] } of this.#pages({ Prefix: checkPrefix(prefix), ...from }, options.signal)) {
      for (const { Key, Size, ETag, LastModified } of Contents) {
        if (Key === undefined) continue;
        yield { key: Key, sizeBytes: Size ?? 0, etag: ETag ?? '', modifiedAt: LastModified ?? new Date(0) };
      }
    }
  }

  async *listChildren(prefix: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<string> {
    const input = { Prefix: checkPrefix(prefix), Delimiter: '/' };
    for await (const { Contents = [], CommonPrefixes = [] } of this.#pages(input, options.signal)) {
      for (const key of [...Contents.map(({ Key }) => Key), ...CommonPrefixes.map(({ Prefix }) => Prefix)])
        if (key !== undefined) yield key.slice(prefix.length);
    }
  }

  async *#pages(
    input: { readonly Prefix: string; readonly Delimiter?: string; readonly StartAfter?: string },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ListObjectsV2CommandOutput> {
    const { listPageSize } = this.#settings;
    const client = await this.#connection.client();
    const all = { Bucket: this.bucketName, ...input, ...(listPageSize === undefined ? {} : { MaxKeys: listPageSize }) };
    let position = {};
    for (;;) {
      const page = await this.#attempt('list', input.Prefix, signal, () =>
        client.listObjectsV2({ ...all, ...position }, sendOptions(signal)),
      );
      yield page;
      if (page.IsTruncated !== true || page.NextContinuationToken === undefined) return;
      position = { ContinuationToken: page.NextContinuationToken };
    }
  }

  async #putStream(key: string, body: Readable, options: PutOptions): Promise<PutResult> {
    let sourceError: Error | undefined;
    const onSourceError = (error: Error): void => void (sourceError = error);
    const stopReading = (): void => void body.destroy();
    body.once('error', onSourceError);
    options.signal?.addEventListener('abort', stopReading, { once: true });
    const parts = partsOfStream(body, this.#partSizeBytes);
    try {
      const first = (await parts.next()).value;
      if (first === undefined) throw new SystemError('Internal', `The body for ${key} gave no part.`);
      if (first.last) return await this.#putWhole(key, first.bytes, options);
      const all = async function* (): AsyncGenerator<BodyPart> {
        yield first;
        yield* parts;
      };
      return await uploadInParts({ ...(await this.#upload(key, options)), stopReading }, all());
    } catch (error) {
      if (sourceError !== undefined) throw sourceError;
      throw this.#writeFailure(error, key, options);
    } finally {
      options.signal?.removeEventListener('abort', stopReading);
      body.destroy();
    }
  }

  async #putWhole(key: string, bytes: Buffer, options: PutOptions): Promise<PutResult> {
    const digest = createHash('sha256').update(bytes).digest();
    const sha256 = digest.toString('hex');
    const input = {
      Bucket: this.bucketName,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumSHA256: digest.toString('base64'),
      Metadata: { [sha256Key]: sha256 },
      ...(options.contentType === undefined ? {} : { ContentType: options.contentType }),
      ...(options.ifMatch === undefined ? {} : { IfMatch: options.ifMatch }),
      ...(options.ifNoneMatch === undefined ? {} : { IfNoneMatch: options.ifNoneMatch }),
    };
    const requestTimeout = this.#timeoutMs(bytes.length);
    const client = await this.#connection.client();
    const answer = await client.putObject(input, { ...sendOptions(options.signal), requestTimeout });
    return { etag: answer.ETag ?? '', sizeBytes: bytes.length, sha256 };
  }

  async #upload(key: string, options: PutOptions): Promise<MultipartUpload> {
    return {
      client: await this.#connection.client(),
      bucket: this.bucketName,
      key,
      partsAtOnce: this.#settings.partsAtOnce ?? s3Defaults.partsAtOnce,
      timeoutMs: (sizeBytes) => this.#timeoutMs(sizeBytes),
      metadata: {},
      options,
    };
  }

  get #partSizeBytes(): number {
    return this.#settings.partSizeBytes ?? s3Defaults.partSizeBytes;
  }

  #timeoutMs(sizeBytes: number): number {
    return (this.#settings.requestTimeoutMs ?? s3Defaults.requestTimeoutMs) + sizeBytes / 64;
  }

  async #attempt<T>(verb: string, key: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#failure(error, verb, key);
    }
  }

  #writeFailure(error: unknown, key: string, options: PutOptions): unknown {
    if (options.signal?.aborted === true) return options.signal.reason;
    const failure = this.#failure(error, 'write', key);
    // `If-Match` on a key that holds nothing answers 404: a condition that does not hold, like any other.
    if (options.ifMatch === undefined || failure.type !== 'NotFound' || isMissingBucket(failure)) return failure;
    return new SystemError('Conflict', failure.message, { details: failure.details, cause: error });
  }

  #failure(error: unknown, verb: string, key: string): SystemError {
    return s3Failure(error, { verb, bucket: this.bucketName, key, endpoint: this.#connection.endpoint });
  }
}
