// The records of a file, in each format, and what is said of those that cannot be read.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecords } from '../../../activities/feature-engineering/read-records.js';
import type { ReadRow } from '../../../activities/feature-engineering/read-row.js';
import type { DataFormat } from '../../../activities/schemas/data-settings.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'pawl-read-'))));
afterAll(() => rm(folder, { recursive: true }));

const optionsOf = (format: DataFormat) => ({ format, place: 's3://lake/a', spoolFile: join(folder, 'spool') });

describe('reading records', () => {
  const read = async (text: string | Uint8Array, format: DataFormat): Promise<ReadRow[]> => {
    const rows: ReadRow[] = [];
    for await (const row of readRecords(Readable.from([Buffer.from(text)]), optionsOf(format))) rows.push(row);
    return rows;
  };

  test('a malformed line is handed out with its line, and the others are read', async () => {
    const rows = await read('{"a":1}\nnot json\n\n[1]\n{"a":2}\n', 'jsonl');
    expect(rows.map(({ kind, line }) => [kind, line])).toEqual([
      ['record', 1],
      ['malformed', 2],
      ['malformed', 4],
      ['record', 5],
    ]);
  });

  test('a JSON list that breaks off gives what came before, then that it is cut off there', async () => {
    const rows = await read('[{"a":1},3,{"a":2},{"a"', 'json');
    expect(rows.map(({ kind, line }) => [kind, line])).toEqual([
      ['record', 1],
      ['malformed', 2],
      ['record', 3],
      ['cut-off', 4],
    ]);
  });

  test('a CSV whose quote is never closed is cut off there, not one malformed row', async () => {
    const rows = await read(`a,b\n1,2\n1,"2\n${'3,4\n'.repeat(1_000)}`, 'csv');
    expect(rows.at(-1)).toMatchObject({
      kind: 'cut-off',
      line: 3,
      reason: expect.stringContaining('Quote Not Closed'),
    });
    expect((await read('a,"b\n1,2\n', 'csv')).map(({ kind, line }) => [kind, line])).toEqual([['cut-off', 1]]);
  });

  test('a CSV whose stray quote would fill the memory is given up long before its end', async () => {
    let pieces = 0;
    const endless = Readable.from(
      (function* () {
        yield Buffer.from('a,b\n1,"');
        for (; pieces < 1_000; pieces += 1) yield Buffer.alloc(100_000, '3,4\n');
      })(),
    );
    const rows: ReadRow[] = [];
    for await (const row of readRecords(endless, optionsOf('csv'))) rows.push(row);
    expect(rows).toMatchObject([{ kind: 'cut-off', line: 2 }]);
    expect(pieces).toBeLessThan(500);
  });

  test('each line that a stray quote made one row of is malformed', async () => {
    const rows = await read('"a","b"\n"1","x"\n"2","y\n"3","z"\n"4","w"\n', 'csv');
    expect(rows.sort((left, right) => left.line - right.line).map(({ kind, line }) => [kind, line])).toEqual([
      ['record', 2],
      ['malformed', 3],
      ['malformed', 4],
      ['record', 5],
    ]);
  });

  test('a CSV row of the wrong width is malformed with its line', async () => {
    const rows = await read('a,b\n1,2\n1,2,3\n"x\ny",4\n', 'csv');
    expect(rows.filter(({ kind }) => kind === 'record')).toHaveLength(2);
    expect(rows.find(({ kind }) => kind === 'malformed')).toMatchObject({ line: 3 });
  });

  test('text that is not UTF-8 is malformed', async () => {
    expect((await read(Uint8Array.from([0x61, 0xff, 0xfe]), 'text')).map(({ kind }) => kind)).toEqual(['malformed']);
  });

  test('a long text is cut off where it is not UTF-8, wherever that is', async () => {
    const long = Buffer.alloc(3_000_000, 'word ');
    for (const at of [10, 2_500_000]) {
      const bytes = Uint8Array.from(long);
      bytes[at] = 0xff;
      expect((await read(bytes, 'text')).at(-1)).toMatchObject({ kind: 'cut-off', reason: 'not UTF-8' });
    }
  });

  test('a long text comes in blocks cut at empty lines', async () => {
    const paragraph = `${'lorem ipsum '.repeat(1_000)}\n\n`;
    const rows = await read(paragraph.repeat(300), 'text');
    expect(rows.length).toBeGreaterThan(2);
    const whole = rows.map((row) => (row.kind === 'record' ? (row.record['text_content'] as string) : '')).join('');
    expect(whole).toBe(paragraph.repeat(300));
  });

  test('a connection that breaks off is an error, not a malformed row', async () => {
    const broken = (format: DataFormat) =>
      Readable.from(
        (async function* () {
          const begun = { json: '[{"a":1},', csv: 'a,b\n1,2\n3' }[format as string] ?? '{"a":1}\n{"a"';
          yield Buffer.from(begun);
          throw new Error('connection reset');
        })(),
      );
    for (const format of ['jsonl', 'json', 'csv', 'text'] as const) {
      const reading = async () => {
        for await (const row of readRecords(broken(format), optionsOf(format))) void row;
      };
      await expect(reading(), format).rejects.toThrow('connection reset');
    }
  });

  describe('of Parquet', () => {
    const parquet = async (query: string): Promise<Buffer> => {
      const duckdb = await DuckDBInstance.create(':memory:');
      const file = join(folder, 'a.parquet');
      await (await duckdb.connect()).run(`COPY (${query}) TO '${file}' (FORMAT parquet)`);
      duckdb.closeSync();
      return await readFile(file);
    };

    test('that is broken, at its end or within, is cut off, not one malformed row', async () => {
      const bytes = await parquet('SELECT range AS a, md5(range::VARCHAR) AS b FROM range(20000)');
      expect((await read(bytes, 'parquet')).length).toBe(20_000);
      expect((await read(bytes.subarray(0, -100), 'parquet')).at(-1)).toMatchObject({ kind: 'cut-off' });
      const damaged = Buffer.from(bytes).fill(0, 1_000, 9_000);
      expect((await read(damaged, 'parquet')).at(-1)).toMatchObject({ kind: 'cut-off' });
    });

    test('that needs more memory than there is stops the reading, with what to do', async () => {
      const bytes = await parquet("SELECT repeat('x', 250000000) AS a");
      await expect(read(bytes, 'parquet')).rejects.toMatchObject({
        type: 'InvalidInput',
        message: expect.stringMatching(/s3:\/\/lake\/a .* smaller row groups/),
      });
    });
  });
});
