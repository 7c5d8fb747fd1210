// Writes the run record into the bucket: the whole of it at first, what has changed since afterwards.

import { SystemError } from '../../dag/failures.js';
import { readJson, type JsonReading } from '../../systems/object-store/json-object.js';
import { runKey } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import {
  runRecord,
  type RunRecord,
  type RunRecordHead,
  type RunRecordState,
  type StepRecord,
} from './run-record-schema.js';

export interface RunRecordWrite {
  readonly environment: string;
  readonly dag: string;
  readonly runId: string;
  /** Counts the writes of a run from 1. */
  readonly sequence: number;
  /** With the first write, and when an answer said that the record is gone. */
  readonly head?: RunRecordHead;
  readonly state: RunRecordState;
  /** The steps that changed since the last write; with a head, all of them. */
  readonly steps: Readonly<Record<string, StepRecord>>;
}

/** `missing`: the record is not there; write again, with a head. */
export type RunRecordAnswer = 'written' | 'missing';

const maxRaces = 8;

/** Reads a run's record; `undefined` where there is none. Throws `Corrupt`, `Unavailable`. */
export const readRunRecord = (objects: ObjectStore, key: string): Promise<JsonReading<RunRecord> | undefined> =>
  readJson(objects, key, runRecord);

/** Idempotent by sequence: a write that comes late, or twice, changes nothing. */
export async function writeRunRecord(objects: ObjectStore, write: RunRecordWrite): Promise<RunRecordAnswer> {
  const key = runKey(write.environment, write.dag, write.runId);
  for (let race = 0; race < maxRaces; race++) {
    const before = await readRunRecord(objects, key);
    if (before !== undefined && before.value.sequence >= write.sequence) return 'written';
    const head = write.head ?? before?.value;
    if (head === undefined) return 'missing';
    const after: RunRecord = runRecord.parse({
      ...head,
      schema: 1,
      sequence: write.sequence,
      ...write.state,
      steps: write.head === undefined ? { ...before?.value.steps, ...write.steps } : write.steps,
    });
    try {
      await objects.put(key, JSON.stringify(after), {
        contentType: 'application/json',
        ...(before === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: before.etag }),
      });
      return 'written';
    } catch (error) {
      // Another attempt of the same write, or of a later one, got in between.
      if (!(error instanceof SystemError && error.type === 'Conflict')) throw error;
    }
  }
  throw new SystemError('Unavailable', `The run record ${key} changed ${maxRaces} times while it was being written.`);
}
