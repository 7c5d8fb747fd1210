// The rows on their way, in an on-disk DuckDB database: duplicates are found there, so memory stays bounded whatever the size of the input.

import { DuckDBInstance, type DuckDBConnection, type DuckDBAppender } from '@duckdb/node-api';
import { sha256Hex } from '../../dag/digest.js';
import { bandsOf, signatureOf, similarity } from './near-duplicates.js';
import type { DatasetRow } from './rows.js';

const flushEveryRows = 2_000;

export interface StagedRow {
  readonly row: DatasetRow;
  readonly tokens: number;
}

export interface Deduplication {
  readonly exact: boolean;
  readonly nearThreshold: number | null;
}

interface Database {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  readonly rows: DuckDBAppender;
  readonly bands: DuckDBAppender;
}

/** One writer, then `deduplicate`, then one reader. */
export class StagingTable {
  #next = 0;
  private constructor(
    private readonly database: Database,
    private readonly deduplication: Deduplication,
  ) {}

  /** `folder` exists and is empty. */
  static async open(folder: string, deduplication: Deduplication): Promise<StagingTable> {
    const instance = await DuckDBInstance.create(`${folder}/rows.duckdb`, {
      // What DuckDB holds beside its buffers, the appenders' rows among it, is as much again.
      memory_limit: '192MB',
      threads: '1',
      allocator_flush_threshold: '16MB',
      temp_directory: `${folder}/spill`,
    });
    const connection = await instance.connect();
    await connection.run(`
      CREATE TABLE staged (seq BIGINT, source VARCHAR, hash VARCHAR, tokens INTEGER, signature BLOB, body VARCHAR);
      CREATE TABLE bands (band UTINYINT, hash UINTEGER, seq BIGINT);
      CREATE TABLE dropped (seq BIGINT, reason VARCHAR);`);
    const rows = await connection.createAppender('staged');
    const bands = await connection.createAppender('bands');
    return new StagingTable({ instance, connection, rows, bands }, deduplication);
  }

  get rowCount(): number {
    return this.#next;
  }

  add({ row, tokens }: StagedRow): void {
    const near = this.deduplication.nearThreshold !== null;
    // What a model learns from: two rows with another prompt over the same text are no duplicates.
    const content = JSON.stringify([
      row.prompt ?? null,
      row.completion ?? null,
      row.messages ?? null,
      row.text_content,
    ]);
    const signature = near ? signatureOf(`${row.completion ?? ''} ${row.text_content}`) : new Uint32Array(0);
    this.database.rows.appendBigInt(BigInt(this.#next));
    this.database.rows.appendVarchar(row.source);
    this.database.rows.appendVarchar(sha256Hex(content.toLowerCase()));
    this.database.rows.appendInteger(tokens);
    this.database.rows.appendBlob(new Uint8Array(signature.buffer));
    this.database.rows.appendVarchar(JSON.stringify(row));
    this.database.rows.endRow();
    if (near) {
      bandsOf(signature).forEach((hash, band) => {
        this.database.bands.appendUTinyInt(band);
        this.database.bands.appendUInteger(hash);
        this.database.bands.appendBigInt(BigInt(this.#next));
        this.database.bands.endRow();
      });
    }
    this.#next += 1;
    if (this.#next % flushEveryRows === 0) this.#flush();
  }

  #flush(): void {
    this.database.rows.flushSync();
    this.database.bands.flushSync();
  }

  /** Marks all but the first of what is the same; answers how many by reason. */
  async deduplicate(): Promise<Readonly<Record<string, number>>> {
    this.#flush();
    if (this.deduplication.exact) {
      await this.database.connection.run(`
        INSERT INTO dropped SELECT s.seq, 'duplicate' FROM staged s
        JOIN (SELECT hash, min(seq) AS first FROM staged GROUP BY hash HAVING count(*) > 1) f ON s.hash = f.hash
        WHERE s.seq > f.first`);
    }
    if (this.deduplication.nearThreshold !== null) await this.#dropNearDuplicates(this.deduplication.nearThreshold);
    const counts = await this.database.connection.runAndReadAll(
      'SELECT reason, count(*)::INTEGER FROM dropped GROUP BY reason',
    );
    return Object.fromEntries(counts.getRows().map(([reason, count]) => [String(reason), Number(count)]));
  }

  async #dropNearDuplicates(threshold: number): Promise<void> {
    // Each row is compared with the first of every bucket it is in: linear, where all pairs would be quadratic.
    const candidates = await this.database.connection.stream(`
      SELECT DISTINCT b.seq, f.first, s.signature AS own, t.signature AS other
      FROM bands b
      JOIN (SELECT band, hash, min(seq) AS first FROM bands GROUP BY band, hash HAVING count(*) > 1) f
        ON b.band = f.band AND b.hash = f.hash AND b.seq > f.first
      JOIN staged s ON s.seq = b.seq
      JOIN staged t ON t.seq = f.first
      WHERE b.seq NOT IN (SELECT seq FROM dropped)`);
    const near = new Set<bigint>();
    for await (const batch of candidates.yieldRowsJs()) {
      for (const [seq, , own, other] of batch) {
        if (similarity(signatureFrom(own), signatureFrom(other)) >= threshold) near.add(seq as bigint);
      }
    }
    const appender = await this.database.connection.createAppender('dropped');
    for (const seq of [...near].sort((left, right) => (left < right ? -1 : 1))) {
      appender.appendBigInt(seq);
      appender.appendVarchar('near_duplicate');
      appender.endRow();
    }
    appender.closeSync();
  }

  /** What is left, in the order it was added. */
  async *kept(): AsyncGenerator<{ readonly body: string; readonly source: string; readonly tokens: number }> {
    const result = await this.database.connection.stream(
      'SELECT body, source, tokens FROM staged WHERE seq NOT IN (SELECT seq FROM dropped) ORDER BY seq',
    );
    for await (const batch of result.yieldRowsJs()) {
      for (const [body, source, tokens] of batch)
        yield { body: body as string, source: source as string, tokens: tokens as number };
    }
  }

  /** Deciles of the token counts of what is left: eleven numbers, from smallest to largest. */
  async tokenDeciles(): Promise<readonly number[]> {
    const result = await this.database.connection.runAndReadAll(`
      SELECT unnest(quantile_disc(tokens, [0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1]))::INTEGER
      FROM staged WHERE seq NOT IN (SELECT seq FROM dropped)`);
    return result.getRows().map(([value]) => Number(value));
  }

  close(): void {
    this.database.rows.closeSync();
    this.database.bands.closeSync();
    this.database.connection.closeSync();
    this.database.instance.closeSync();
  }
}

const signatureFrom = (blob: unknown): Uint32Array => {
  const bytes = Uint8Array.from(blob as Uint8Array);
  return new Uint32Array(bytes.buffer, 0, bytes.byteLength / 4);
};
