// Reads and moves serving records in the object store.

import { SystemError } from '../../dag/failures.js';
import { servingKey, servingPrefix } from '../object-store/keys.js';
import type { ObjectStore } from '../object-store/port.js';
import { servingRecord, type ServingRecord } from './record.js';

export interface RecordReading {
  readonly record: ServingRecord;
  readonly etag: string;
}

export class ServingRecords {
  readonly #objects: ObjectStore;
  readonly #environment: string;

  constructor(options: { readonly objects: ObjectStore; readonly environment: string }) {
    this.#objects = options.objects;
    this.#environment = options.environment;
  }

  /** `undefined` where there is none; throws `Corrupt` where it cannot be understood, `Unavailable`. */
  async read(model: string, version: number): Promise<RecordReading | undefined> {
    return this.#readKey(servingKey(this.#environment, model, version));
  }

  /** Compare-and-set over what was read (null: nothing there). Throws `Conflict` where somebody else was first. */
  async write(next: ServingRecord, over: RecordReading | null): Promise<RecordReading> {
    const key = servingKey(this.#environment, next.model, next.version);
    const condition = over === null ? { ifNoneMatch: '*' as const } : { ifMatch: over.etag };
    const body = JSON.stringify(next, null, 1);
    const { etag } = await this.#objects.put(key, body, { ...condition, contentType: 'application/json' });
    return { record: next, etag };
  }

  /** Every record of a model, retired ones too. */
  async list(model: string): Promise<readonly ServingRecord[]> {
    const records: ServingRecord[] = [];
    for await (const { key } of this.#objects.list(servingPrefix(this.#environment, model))) {
      const reading = await this.#readKey(key);
      if (reading !== undefined) records.push(reading.record);
    }
    return records;
  }

  async #readKey(key: string): Promise<RecordReading | undefined> {
    let etag: string;
    const chunks: Uint8Array[] = [];
    try {
      const stored = await this.#objects.get(key);
      etag = stored.etag;
      for await (const chunk of stored.body) chunks.push(chunk as Uint8Array);
    } catch (error) {
      if (error instanceof SystemError && error.type === 'NotFound') return undefined;
      throw error;
    }
    const where = `s3://${this.#objects.bucketName}/${key}`;
    let json: unknown;
    try {
      json = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    } catch (cause) {
      throw new SystemError('Corrupt', `The serving record ${where} is not JSON: launch the version again.`, { cause });
    }
    const parsed = servingRecord.safeParse(json);
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
      throw new SystemError('Corrupt', `The serving record ${where} cannot be understood (${problems}).`);
    }
    return { record: parsed.data, etag };
  }
}
