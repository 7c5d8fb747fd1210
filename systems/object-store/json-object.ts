// Small JSON objects: read whole, checked against a schema, written by compare-and-set.

import { text } from 'node:stream/consumers';
import type { z } from 'zod';
import { SystemError } from '../../dag/failures.js';
import type { ObjectStore, PutResult } from './port.js';

export interface JsonReading<T> {
  readonly value: T;
  readonly etag: string;
}

const readTries = 3;

const isFailure = (error: unknown, type: SystemError['type']): error is SystemError =>
  error instanceof SystemError && error.type === type;

/** `NotFound` of the object; that of the bucket is a mistake in the settings and must not look like an empty store. */
const isAbsence = (error: unknown): boolean => isFailure(error, 'NotFound') && error.details['missing'] !== 'bucket';

/** What stands there, of whatever kind; the ETag lets a mender write over exactly these bytes. */
const corrupt = (sentence: string, etag: string, cause?: unknown): SystemError =>
  new SystemError('Corrupt', sentence, { details: { etag }, cause });

async function readText(store: ObjectStore, key: string): Promise<{ text: string; etag: string } | undefined> {
  for (let tryNumber = 1; ; tryNumber += 1) {
    let etag = '';
    try {
      const object = await store.get(key);
      etag = object.etag;
      return { text: await text(object.body), etag };
    } catch (error) {
      if (isAbsence(error)) return undefined;
      // A small answer that was cut off or damaged on its way is worth asking for again at once.
      if (!isFailure(error, 'IntegrityFailed')) throw error;
      if (tryNumber < readTries) continue;
      // Bytes that arrive whole every time and never match were damaged at rest.
      if (error.details['actual'] !== undefined) throw corrupt(error.message, etag, error);
      throw error;
    }
  }
}

/**
 * Reads and checks an object; `undefined` where there is none. Throws `Corrupt` where it is not what the schema wants, with
 * its ETag in the details.
 */
export async function readJson<T>(
  store: ObjectStore,
  key: string,
  schema: z.ZodType<T>,
): Promise<JsonReading<T> | undefined> {
  const found = await readText(store, key);
  if (found === undefined) return undefined;
  const place = `s3://${store.bucketName}/${key}`;
  let json: unknown;
  try {
    json = JSON.parse(found.text);
  } catch (cause) {
    throw corrupt(`${place} is no JSON: restore it.`, found.etag, cause);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data, etag: found.etag };
  const problem = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw corrupt(`${place} does not hold what it should (${problem}): restore it.`, found.etag);
}

/** Writes over what `over` names (null: nothing there). Throws `Conflict` where something else stands there. */
export async function writeJson(
  store: ObjectStore,
  key: string,
  write: { readonly value: unknown; readonly over: string | null },
): Promise<PutResult> {
  const condition = write.over === null ? { ifNoneMatch: '*' as const } : { ifMatch: write.over };
  const body = `${JSON.stringify(write.value, null, 2)}\n`;
  return await store.put(key, body, { contentType: 'application/json', ...condition });
}

/** Writes an object that never changes, or answers the one that stands there already. Idempotent. */
export async function createJson<T>(
  store: ObjectStore,
  key: string,
  create: { readonly value: T; readonly schema: z.ZodType<T> },
): Promise<T> {
  try {
    await writeJson(store, key, { value: create.value, over: null });
    return create.value;
  } catch (error) {
    if (!isFailure(error, 'Conflict')) throw error;
    const standing = await readJson(store, key, create.schema);
    if (standing !== undefined) return standing.value;
    throw error;
  }
}
