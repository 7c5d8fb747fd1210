// Reads CSV: a row that is wrong is lost alone, a quote that is never closed takes the rest of the file with it.

import type { Readable } from 'node:stream';
import { parse, type CsvError, type Info } from 'csv-parse';
import { reasonOf, toRow, type ReadRow } from './read-row.js';

/** A quote that is never closed makes one row of all that follows, which must not fill the memory. */
const longestRowBytes = 16_000_000;
const endless: readonly string[] = ['CSV_QUOTE_NOT_CLOSED', 'CSV_MAX_RECORD_SIZE'] satisfies CsvError['code'][];

interface Broken {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export async function* readCsv(body: Readable): AsyncGenerator<ReadRow> {
  const broken: Broken[] = [];
  let cutOff: ReadRow | undefined;
  let hasHeader = false;
  /** The last line that is accounted for: the parser is ahead of whoever takes the rows. */
  let lastLine = 0;
  const parser = parse({
    columns: (header: string[]) => {
      hasHeader = true;
      lastLine = parser.info.lines;
      return header;
    },
    bom: true,
    info: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: longestRowBytes,
    on_record: (row: unknown, { lines }) => {
      lastLine = lines;
      return row;
    },
  });
  parser.on('skip', (error: CsvError) => {
    const reason = reasonOf(error);
    // Without its header no row of the file means anything.
    if (endless.includes(error.code) || !hasHeader) {
      cutOff ??= { kind: 'cut-off', line: lastLine + 1, reason };
      parser.destroy(error);
      return;
    }
    // A row may be wrong in several places, and a stray quote makes one row of several lines: each is lost, and counts.
    const to = Number(error['lines']);
    if (to > lastLine) broken.push({ from: lastLine + 1, to, reason });
    lastLine = Math.max(lastLine, to);
  });
  body.once('error', (error) => parser.destroy(error));
  function* brokenRows(): Generator<ReadRow> {
    for (const { from, to, reason } of broken.splice(0))
      for (let line = from; line <= to; line += 1) yield { kind: 'malformed', line, reason };
  }

  try {
    for await (const item of body.pipe(parser) as AsyncIterable<{ record: Record<string, string>; info: Info }>) {
      yield* brokenRows();
      yield toRow(item.record, item.info.lines);
    }
  } catch (error) {
    if (cutOff === undefined) throw error;
  }
  yield* brokenRows();
  if (cutOff !== undefined) yield cutOff;
}
