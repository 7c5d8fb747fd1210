// Read, decide, compare-and-set, and again where someone else was quicker: for the registry's small changing objects.

import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { SystemError } from '../../dag/failures.js';
import { readJson, writeJson } from '../object-store/json-object.js';
import type { ObjectStore } from '../object-store/port.js';

/** Enough for a hundred writers of one object, each of which wins a round. */
const maxRounds = 150;
const maxTroubles = 5;
const maxDelayMs = 400;

export interface JsonChange<T> {
  readonly schema: z.ZodType<T>;
  /** What is to stand there instead (`undefined`: leave it). Called again after a lost race; may do idempotent I/O. */
  change(standing: T | undefined): T | undefined | Promise<T | undefined>;
}

/**
 * Answers what stands there afterwards. A write whose answer was lost is decided upon again, so `change` must answer
 * `undefined` where its work is done already. Throws `Unavailable` after too many rounds.
 */
export async function changeJson<T>(store: ObjectStore, key: string, change: JsonChange<T>): Promise<T | undefined> {
  let troubles = 0;
  for (let round = 1; round <= maxRounds; round += 1) {
    const standing = await readJson(store, key, change.schema);
    const next = await change.change(standing?.value);
    if (next === undefined) return standing?.value;
    try {
      await writeJson(store, key, { value: next, over: standing?.etag ?? null });
      return next;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const isTrouble = error.type === 'Unavailable' || error.type === 'IntegrityFailed';
      if (isTrouble) troubles += 1;
      if ((error.type !== 'Conflict' && !isTrouble) || troubles > maxTroubles) throw error;
      await sleep(Math.random() * Math.min(maxDelayMs, 10 * 2 ** Math.min(round, 6)));
    }
  }
  throw new SystemError(
    'Unavailable',
    `s3://${store.bucketName}/${key} was written by others ${maxRounds} times in a row: try again.`,
  );
}
