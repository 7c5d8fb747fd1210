// The endpoint object on the object store: compare-and-set, with an immutable record of every state beside it.
//
// The object is the truth; a record follows each write and is made sure of before the next one. So at most the newest state
// has no record, a writer whose answer was lost can tell from the records that it won even after others have written, and
// a lost object can be written anew.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';
import { createJson, readJson, writeJson } from '../object-store/json-object.js';
import { endpointHistoryKey, endpointHistoryPrefix, endpointKey, endpointsPrefix } from '../object-store/keys.js';
import type { ObjectStore } from '../object-store/port.js';
import type { EndpointReading, Endpoints, EndpointWrite } from './port.js';
import { endpointState } from './state.js';
import type { EndpointState } from './state.js';

const writeTries = 6;
const firstDelayMs = 50;
const recordsAtOnce = 16;

const isType = (error: unknown, ...types: readonly SystemError['type'][]): error is SystemError =>
  error instanceof SystemError && types.includes(error.type);

/** What to write over: the ETag of what stands there, or null for nothing. */
interface Attempt {
  readonly next: EndpointState;
  readonly overEtag: string | null;
}

/** `state` is absent where the object cannot be read. */
export interface RawReading {
  readonly etag: string;
  readonly state?: EndpointState;
}

/** `Endpoints` of one environment. */
export class ObjectStoreEndpoints implements Endpoints {
  readonly #objects: ObjectStore;
  readonly #environment: string;
  /** Highest generation by model whose record is known to be there: saves a write before each write. */
  readonly #recorded = new Map<string, string>();

  constructor(objects: ObjectStore, environment: string) {
    this.#objects = objects;
    this.#environment = environment;
  }

  /** Those whose object is lost but whose history is there, too. */
  async *models(): AsyncGenerator<string> {
    const seen = new Set<string>();
    for await (const child of this.#objects.listChildren(endpointsPrefix(this.#environment))) {
      const model = child.replace(/(?:\.json|\/)$/, '');
      if (!seen.has(model)) yield model;
      seen.add(model);
    }
  }

  async read(model: string): Promise<EndpointReading | undefined> {
    const found = await this.#readObject(model);
    if (found !== undefined) return found;
    if (!(await this.#hasHistory(model))) return undefined;
    // A record is written after its object: if it appeared a moment ago, so did the object.
    const appeared = await this.#readObject(model);
    if (appeared !== undefined) return appeared;
    throw new SystemError(
      'Corrupt',
      `The endpoint ${model} in ${this.#environment} has a history, but its object ${endpointKey(this.#environment, model)} is gone: run \`pawl reconcile ${model}\`.`,
      { details: { lost: true } },
    );
  }

  async write(model: string, next: EndpointState, over: EndpointReading | null): Promise<EndpointWrite> {
    this.#check(model, next);
    if (over !== null && over.state.operationId === next.operationId) return { won: true, state: over.state };
    const expected = (over?.state.generation ?? 0) + 1;
    if (next.generation !== expected)
      throw new SystemError(
        'Internal',
        `The endpoint ${model} was to be written with generation ${next.generation}, not ${expected}.`,
      );
    if (over === null) {
      const standing = await this.read(model);
      if (standing !== undefined) return await this.#judge(model, next, standing);
    } else await this.#record(over.state);
    return await this.#attempt(model, { next, overEtag: over?.etag ?? null });
  }

  /**
   * For reconciliation only: writes over exactly what `readRaw` answered, readable or not, with a generation above all that
   * are known. `won: false` where someone else wrote in between.
   */
  async rewrite(model: string, next: EndpointState, over: RawReading | undefined): Promise<EndpointWrite> {
    this.#check(model, next);
    if (over?.state !== undefined) await this.#record(over.state);
    return await this.#attempt(model, { next, overEtag: over?.etag ?? null });
  }

  /** What stands there, also where it cannot be read; `undefined` where nothing is. */
  async readRaw(model: string): Promise<RawReading | undefined> {
    try {
      return await this.#readObject(model);
    } catch (error) {
      if (!isType(error, 'Corrupt')) throw error;
      return { etag: String(error.details['etag']) };
    }
  }

  /** Oldest first, from a generation on; a record that cannot be read is left out, and shows as a gap. */
  async *history(model: string, options: { fromGeneration?: number } = {}): AsyncGenerator<EndpointState> {
    const from = options.fromGeneration ?? 0;
    const current = (await this.readRaw(model))?.state;
    let newest = 0;
    for await (const states of this.#records(model, from)) {
      for (const state of states) {
        yield state;
        newest = state.generation;
      }
    }
    // The newest state may not have its record yet.
    if (current !== undefined && current.generation > newest && current.generation >= from) yield current;
  }

  async *#records(model: string, fromGeneration: number): AsyncGenerator<EndpointState[]> {
    const prefix = endpointHistoryPrefix(this.#environment, model);
    const after = fromGeneration > 0 ? endpointHistoryKey(this.#environment, model, fromGeneration - 1) : undefined;
    let keys: string[] = [];
    const readAll = async (): Promise<EndpointState[]> => {
      const reads = keys.map((key) => readJson(this.#objects, key, endpointState).catch(ignoreCorrupt));
      keys = [];
      return (await Promise.all(reads)).flatMap((found) => (found === undefined ? [] : [found.value]));
    };
    for await (const { key } of this.#objects.list(prefix, after === undefined ? {} : { startAfter: after })) {
      keys.push(key);
      if (keys.length === recordsAtOnce) yield await readAll();
    }
    yield await readAll();
  }

  async #attempt(model: string, { next, overEtag }: Attempt): Promise<EndpointWrite> {
    const key = endpointKey(this.#environment, model);
    for (let tryNumber = 1; ; tryNumber += 1) {
      try {
        await writeJson(this.#objects, key, { value: next, over: overEtag });
        await this.#record(next);
        return { won: true, state: next };
      } catch (error) {
        // The write may have been made all the same: only what stands there tells.
        if (!isType(error, 'Conflict', 'Unavailable', 'IntegrityFailed', 'CredentialsExpired')) throw error;
        if (tryNumber === writeTries) throw busy(model, error);
        await sleep(firstDelayMs * 2 ** (tryNumber - 1) * (0.5 + Math.random()));
        const standing = await this.readRaw(model).catch((failure: unknown) => {
          if (isType(failure, 'Unavailable', 'IntegrityFailed', 'CredentialsExpired')) return 'unknown' as const;
          throw failure;
        });
        if (standing === 'unknown' || (standing?.etag ?? null) === overEtag) continue;
        return await this.#judge(model, next, standing);
      }
    }
  }

  /** Something else than what was to be replaced stands there: is it our own write, or one that came after it? */
  async #judge(model: string, next: EndpointState, standing: RawReading | undefined): Promise<EndpointWrite> {
    const current = standing?.state;
    if (current?.operationId === next.operationId) {
      await this.#record(current);
      return { won: true, state: current };
    }
    // Whoever replaced our state made sure of its record first.
    const record = await this.#readRecord(model, next.generation);
    if (record?.operationId === next.operationId) return { won: true, state: record };
    if (current !== undefined) return { won: false, current };
    throw new SystemError(
      'Corrupt',
      `The endpoint ${model} in ${this.#environment} was ${standing === undefined ? 'deleted' : 'damaged'} while it was being written: run \`pawl reconcile ${model}\`.`,
      { details: { lost: standing === undefined } },
    );
  }

  async #record(state: EndpointState): Promise<void> {
    const { model, generation, operationId } = state;
    const mark = `${generation} ${operationId}`;
    if (this.#recorded.get(model) === mark) return;
    const key = endpointHistoryKey(this.#environment, model, generation);
    const standing = await createJson(this.#objects, key, { value: state, schema: endpointState });
    if (standing.operationId !== operationId)
      throw new SystemError(
        'Corrupt',
        `The history of ${model} in ${this.#environment} has another generation ${generation} (by ${standing.change.by}): run \`pawl reconcile ${model}\`.`,
      );
    this.#recorded.set(model, mark);
  }

  async #readRecord(model: string, generation: number): Promise<EndpointState | undefined> {
    const key = endpointHistoryKey(this.#environment, model, generation);
    return (await readJson(this.#objects, key, endpointState))?.value;
  }

  async #readObject(model: string): Promise<EndpointReading | undefined> {
    const key = endpointKey(this.#environment, model);
    const found = await readJson(this.#objects, key, endpointState).catch((error: unknown) => {
      if (!isType(error, 'Corrupt')) throw error;
      throw new SystemError(
        'Corrupt',
        `The endpoint ${model} in ${this.#environment} cannot be read: run \`pawl reconcile ${model}\`. ${error.message}`,
        { cause: error, details: error.details },
      );
    });
    return found === undefined ? undefined : { state: found.value, etag: found.etag };
  }

  async #hasHistory(model: string): Promise<boolean> {
    for await (const _record of this.#objects.list(endpointHistoryPrefix(this.#environment, model))) return true;
    return false;
  }

  #check(model: string, next: EndpointState): void {
    const parsed = endpointState.safeParse(next);
    const problem = !parsed.success
      ? parsed.error.issues.map(({ message }) => message).join('; ')
      : next.model !== model || next.environment !== this.#environment
        ? `it is that of ${next.model} in ${next.environment}`
        : undefined;
    if (problem !== undefined)
      throw new SystemError(
        'Internal',
        `The endpoint ${model} in ${this.#environment} cannot take this state: ${problem}.`,
      );
  }
}

const ignoreCorrupt = (error: unknown): undefined => {
  if (!isType(error, 'Corrupt')) throw error;
};

const busy = (model: string, cause: SystemError): SystemError =>
  cause.type !== 'Conflict'
    ? cause
    : new SystemError(
        'Unavailable',
        `The endpoint ${model} could not be written in ${writeTries} tries: ${cause.message}`,
        { cause },
      );
