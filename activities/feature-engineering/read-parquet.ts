// Reads Parquet with DuckDB. Its index is at its end, so the file is fetched first.

import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { SystemError } from '../../dag/failures.js';
import { reasonOf, toRow, type ReadRow } from './read-row.js';

const memoryLimit = '200MB';

/** `line` is the row number, from 1. Throws `InvalidInput` for a file that needs more memory than there is. */
export async function* readParquet(
  body: Readable,
  { place, spoolFile }: { place: string; spoolFile: string },
): AsyncGenerator<ReadRow> {
  try {
    await pipeline(body, createWriteStream(spoolFile));
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: memoryLimit, threads: '2' });
    let row = 0;
    try {
      const connection = await instance.connect();
      const result = await connection.stream(`SELECT * FROM read_parquet('${spoolFile.replaceAll("'", "''")}')`);
      for await (const batch of result.yieldRowObjectJson()) {
        for (const value of batch) {
          row += 1;
          yield toRow(value, row);
        }
      }
    } catch (error) {
      const reason = reasonOf(error).split('\n')[0] ?? '';
      // DuckDB's errors have no code; the kind is how they begin.
      if (reason.startsWith('Out of Memory Error'))
        throw new SystemError(
          'InvalidInput',
          `${place} needs more than ${memoryLimit} to be read: write it anew with smaller row groups.`,
          { cause: error },
        );
      if (!/^(Invalid Input|Invalid|Serialization|Conversion|Not implemented) Error/.test(reason)) throw error;
      yield { kind: 'cut-off', line: row + 1, reason: reason.replaceAll(spoolFile, place) };
    } finally {
      instance.closeSync();
    }
  } finally {
    await rm(spoolFile, { force: true });
  }
}
