// Reads one object as a stream of records, whatever its format; what cannot be read is handed out with its line.

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { none } from 'stream-chain/defs.js';
import { streamArray } from 'stream-json/streamers/stream-array.js';
import type { DataFormat } from '../schemas/data-settings.js';
import { readCsv } from './read-csv.js';
import { readParquet } from './read-parquet.js';
import { reasonOf, toRow, type ReadRow } from './read-row.js';

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
      yield { kind: 'cut-off', line: place + 1, reason: reasonOf(error) };
    }
  }
  const utf8 = new StringDecoder('utf8');
  for await (const bytes of body as AsyncIterable<Buffer>) {
    for await (const row of rowsOf(utf8.write(bytes))) {
      yield row;
      if (row.kind === 'cut-off') return;
    }
  }
  yield* rowsOf(none);
}

const longestBlock = 1_000_000;

/** Text and Markdown: the whole file, or blocks of about a megabyte cut at empty lines, so that no file is too large. */
async function* readText(body: Readable): AsyncGenerator<ReadRow> {
  let block = '';
  let line = 1;
  let sizeBytes = 0;
  let isText = true;
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? utf8.decode() : utf8.decode(bytes, { stream: true });
    } catch {
      isText = false;
      return '';
    }
  };
  const rowOf = (text: string): ReadRow => ({ kind: 'record', line, record: { text_content: text } });

  for await (const bytes of body as AsyncIterable<Uint8Array>) {
    sizeBytes += bytes.length;
    // What is larger than a block would have been several rows: counted on, to say how much is lost.
    if (!isText && sizeBytes > longestBlock) break;
    if (isText) block += decode(bytes);
    while (isText && block.length >= longestBlock) {
      const end = block.lastIndexOf('\n\n', longestBlock - 2);
      const cut = end > 0 ? end + 2 : longestBlock;
      yield rowOf(block.slice(0, cut));
      line += block.slice(0, cut).split('\n').length - 1;
      block = block.slice(cut);
    }
  }
  if (isText) block += decode();
  if (!isText) yield { kind: sizeBytes > longestBlock ? 'cut-off' : 'malformed', line, reason: 'not UTF-8' };
  else if (block !== '') yield rowOf(block);
}

export const isDocument = (format: DataFormat): boolean => format === 'text' || format === 'markdown';

export interface ReadOptions {
  readonly format: DataFormat;
  /** Bucket and key, for sentences. */
  readonly place: string;
  /** Where a format that cannot be streamed is kept meanwhile. */
  readonly spoolFile: string;
}

/** The records of one object, in its own order. Throws what the body throws, and what the disk does. */
export const readRecords = (body: Readable, options: ReadOptions): AsyncGenerator<ReadRow> => {
  switch (options.format) {
    case 'jsonl':
      return readJsonLines(body);
    case 'json':
      return readJsonList(body);
    case 'csv':
      return readCsv(body);
    case 'parquet':
      return readParquet(body, options);
    case 'text':
    case 'markdown':
      return readText(body);
  }
};
