// Reads and moves serving records in the object store.

import { SystemError } from '../../dag/failures.js';
import { readJson, writeJson } from '../object-store/json-object.js';
import { servingKey, servingPrefix, servingsPrefix } from '../object-store/keys.js';
import type { ObjectStore } from '../object-store/port.js';
import { servingRecord, type ServingRecord } from './record.js';

export interface RecordReading {
  readonly record: ServingRecord;
  readonly etag: string;
}

const writesAtMost = 8;

export class ServingRecords {
  readonly #objects: ObjectStore;
  readonly #environment: string;
  readonly #now: () => Date;

  /** What listings found, by key: a record whose ETag is listed again needs no reading. */
  readonly #seen = new Map<string, RecordReading>();

  constructor(options: { readonly objects: ObjectStore; readonly environment: string; readonly now?: () => Date }) {
    this.#now = options.now ?? (() => new Date());
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

  /** As `write`, with the time of the change. */
  async move(next: ServingRecord, over: RecordReading | null): Promise<RecordReading> {
    return this.write({ ...next, changedAt: this.#now().toISOString() }, over);
  }

  async change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord,
  ): Promise<RecordReading>;
  async change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord | undefined,
  ): Promise<RecordReading | undefined>;
  /** Reads, decides and writes until nobody was in between. Where `next` answers what is there, nothing is written. */
  async change(
    model: string,
    version: number,
    next: (current: ServingRecord | undefined) => ServingRecord | undefined,
  ): Promise<RecordReading | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const reading = await this.read(model, version);
      const wanted = next(reading?.record);
      if (wanted === undefined || wanted === reading?.record) return reading?.record === wanted ? reading : undefined;
      try {
        return await this.move(wanted, reading ?? null);
      } catch (error) {
        if (!(error instanceof SystemError && error.type === 'Conflict') || attempt === writesAtMost) throw error;
      }
    }
  }

  /** Every record of a model, retired ones too. */
  async list(model: string): Promise<readonly ServingRecord[]> {
    const records: ServingRecord[] = [];
    for await (const listed of this.#objects.list(servingPrefix(this.#environment, model))) {
      const record = await this.#readListed(listed);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Every record of the environment that can be understood, retired ones too. */
  async *all(): AsyncGenerator<ServingRecord> {
    for await (const listed of this.#objects.list(servingsPrefix(this.#environment))) {
      try {
        const record = await this.#readListed(listed);
        if (record !== undefined) yield record;
      } catch (error) {
        if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
      }
    }
  }

  async #readListed({
    key,
    etag,
  }: {
    readonly key: string;
    readonly etag: string;
  }): Promise<ServingRecord | undefined> {
    const seen = this.#seen.get(key);
    if (seen?.etag === etag) return seen.record;
    const reading = await this.#readKey(key);
    if (reading !== undefined) this.#seen.set(key, reading);
    return reading?.record;
  }

  async #readKey(key: string): Promise<RecordReading | undefined> {
    const found = await readJson(this.#objects, key, servingRecord);
    return found === undefined ? undefined : { record: found.value, etag: found.etag };
  }
}
