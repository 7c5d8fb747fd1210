// Reads one object as a stream of records, whatever its format; what cannot be read is handed out as a malformed row with its line.

import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { pipeline } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { parse as parseCsv, type CsvError, type Info } from 'csv-parse';
import { none } from 'stream-chain/defs.js';
import { streamArray } from 'stream-json/streamers/stream-array.js';
import { z } from 'zod';
import type { DataFormat } from '../schemas/data-settings.js';

export type ReadRow =
  | { readonly kind: 'record'; readonly line: number; readonly record: Readonly<Record<string, unknown>> }
  | { readonly kind: 'malformed'; readonly line: number; readonly reason: string };

const record = z.record(z.string(), z.unknown());

const notAnObject = 'not a JSON object';

const toRow = (value: unknown, line: number): ReadRow => {
  const parsed = record.safeParse(value);
  return parsed.success
    ? { kind: 'record', line, record: parsed.data }
    : { kind: 'malformed', line, reason: notAnObject };
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

async function* readJsonLines(body: Readable): AsyncGenerator<ReadRow> {
  let line = 0;
  for await (const text of createInterface({ input: body, crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() === '') continue;
    try {
      yield toRow(JSON.parse(text), line);
    } catch (error) {
      yield { kind: 'malformed', line, reason: reasonOf(error) };
    }
  }
}

/** A list of objects; `line` is the place in the list, from 1. */
async function* readJsonList(body: Readable): AsyncGenerator<ReadRow> {
  // Called text by text, not as a stream: a stream that fails throws away what it has read but not handed out.
  const parse = streamArray.withParser() as unknown as (
    text: string | typeof none,
  ) => AsyncIterable<{ value: unknown }>;
  let place = 0;
  async function* rowsOf(text: string | typeof none): AsyncGenerator<ReadRow> {
    try {
      for await (const { value } of parse(text)) {
        place += 1;
        yield toRow(value, place);
      }
    } catch (error) {
      yield { kind: 'malformed', line: place + 1, reason: reasonOf(error) };
    }
  }
  const utf8 = new StringDecoder('utf8');
  for await (const bytes of body as AsyncIterable<Buffer>) {
    for await (const row of rowsOf(utf8.write(bytes))) {
      yield row;
      // Nothing after the first error can be trusted.
      if (row.kind === 'malformed' && row.reason !== notAnObject) return;
    }
  }
  yield* rowsOf(none);
}

async function* readCsv(body: Readable): AsyncGenerator<ReadRow> {
  const malformed: ReadRow[] = [];
  const parser = parseCsv({
    columns: true,
    bom: true,
    info: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });
  parser.on('skip', (error: CsvError) => {
    const line = typeof error['lines'] === 'number' ? error['lines'] : 0;
    malformed.push({ kind: 'malformed', line, reason: reasonOf(error) });
  });
  body.once('error', (error) => parser.destroy(error));
  for await (const item of body.pipe(parser) as AsyncIterable<{ record: Record<string, string>; info: Info }>) {
    yield* malformed.splice(0);
    yield { kind: 'record', line: item.info.lines, record: item.record };
  }
  yield* malformed.splice(0);
}

/** Parquet has its index at its end, so the file is fetched first; `line` is the row number, from 1. */
async function* readParquet(body: Readable, spoolFile: string): AsyncGenerator<ReadRow> {
  await pipeline(body, createWriteStream(spoolFile));
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '200MB', threads: '2' });
  try {
    const connection = await instance.connect();
    let row = 0;
    const result = await connection.stream(`SELECT * FROM read_parquet('${spoolFile.replaceAll("'", "''")}')`);
    for await (const batch of result.yieldRowObjectJson()) {
      for (const value of batch) {
        row += 1;
        yield toRow(value, row);
      }
    }
  } catch (error) {
    yield { kind: 'malformed', line: 1, reason: reasonOf(error) };
  } finally {
    instance.closeSync();
    await rm(spoolFile, { force: true });
  }
}

const longestBlock = 1_000_000;

/** Text and Markdown: the whole file, or blocks of about a megabyte cut at empty lines, so that no file is too large. */
async function* readText(body: Readable): AsyncGenerator<ReadRow> {
  let block = '';
  let line = 1;
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const rowOf = (text: string): ReadRow => ({ kind: 'record', line, record: { text_content: text } });
  try {
    for await (const bytes of body as AsyncIterable<Uint8Array>) {
      block += utf8.decode(bytes, { stream: true });
      while (block.length >= longestBlock) {
        const end = block.lastIndexOf('\n\n', longestBlock - 2);
        const cut = end > 0 ? end + 2 : longestBlock;
        yield rowOf(block.slice(0, cut));
        line += block.slice(0, cut).split('\n').length - 1;
        block = block.slice(cut);
      }
    }
    block += utf8.decode();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    yield { kind: 'malformed', line, reason: 'not UTF-8' };
    return;
  }
  if (block !== '') yield rowOf(block);
}

export const isDocument = (format: DataFormat): boolean => format === 'text' || format === 'markdown';

/** The records of one object, in its own order. `spoolFile`: where a format that cannot be streamed is kept meanwhile. */
export const readRecords = (body: Readable, format: DataFormat, spoolFile: string): AsyncGenerator<ReadRow> => {
  switch (format) {
    case 'jsonl':
      return readJsonLines(body);
    case 'json':
      return readJsonList(body);
    case 'csv':
      return readCsv(body);
    case 'parquet':
      return readParquet(body, spoolFile);
    case 'text':
    case 'markdown':
      return readText(body);
  }
};
