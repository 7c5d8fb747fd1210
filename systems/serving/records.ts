// Reads and moves serving records in the object store.

import { readJson, writeJson } from '../object-store/json-object.js';
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
    const { etag } = await writeJson(this.#objects, key, { value: next, over: over?.etag ?? null });
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
    const found = await readJson(this.#objects, key, servingRecord);
    return found === undefined ? undefined : { record: found.value, etag: found.etag };
  }
}
