// The rows on their way, in an on-disk DuckDB database: duplicates are found there, so memory stays bounded whatever the size of the input.

import { DuckDBInstance, type DuckDBConnection, type DuckDBAppender } from '@duckdb/node-api';
import { sha256Hex } from '../../dag/digest.js';
import { Duplicates } from './duplicates.js';
import { nearContentOf } from './near-content.js';
import { bandCount, bandsOf, signatureOf, similarity } from './near-duplicates.js';
import type { DatasetRow } from './rows.js';

const flushEveryRows = 2_000;
// DuckDB fails where what a query groups or joins is larger than its memory, so each sees so many rows at once.
const rowsAtOnce = 400_000;
/** With two signatures each. */
const pairsAtOnce = 100_000;
const bands = Array.from({ length: bandCount }, (_, band) => band);

export interface StagedRow {
  readonly row: DatasetRow;
  readonly tokens: number;
}

export interface KeptRow {
  /** Its JSON. */
  readonly body: string;
  readonly source: string;
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

/** One writer, then `findDuplicates`, then one reader. */
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
    const bandColumns = bands.map((band) => `band${band} UINTEGER`).join(', ');
    await connection.run(`
      CREATE TABLE staged (seq BIGINT, source VARCHAR, hash HUGEINT, tokens INTEGER, signature BLOB, body VARCHAR);
      CREATE TABLE bands (seq BIGINT, ${bandColumns});
      CREATE TABLE met (seq BIGINT, first BIGINT);
      CREATE TABLE pairs (seq BIGINT, first BIGINT);`);
    const rows = await connection.createAppender('staged');
    const bandRows = await connection.createAppender('bands');
    return new StagingTable({ instance, connection, rows, bands: bandRows }, deduplication);
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
    const { near: text, equal } = nearContentOf(row);
    const signature = near ? signatureOf(text) : new Uint32Array(0);
    this.database.rows.appendBigInt(BigInt(this.#next));
    this.database.rows.appendVarchar(row.source);
    this.database.rows.appendHugeInt(contentHash(content.toLowerCase()));
    this.database.rows.appendInteger(tokens);
    this.database.rows.appendBlob(new Uint8Array(signature.buffer));
    this.database.rows.appendVarchar(JSON.stringify(row));
    this.database.rows.endRow();
    const hashes = near ? bandsOf(signature, contentHash32(equal.toLowerCase())) : [];
    if (hashes.length > 0) {
      this.database.bands.appendBigInt(BigInt(this.#next));
      for (const hash of hashes) this.database.bands.appendUInteger(hash);
      this.database.bands.endRow();
    }
    this.#next += 1;
    if (this.#next % flushEveryRows === 0) this.#flush();
  }

  #flush(): void {
    this.database.rows.flushSync();
    this.database.bands.flushSync();
  }

  /** All but the first of what is the same. */
  async findDuplicates(): Promise<Duplicates> {
    this.#flush();
    const duplicates = new Duplicates(this.#next);
    const { exact, nearThreshold } = this.deduplication;
    if (exact) await this.#findExact(duplicates);
    if (nearThreshold !== null) await this.#findNear(duplicates, nearThreshold);
    return duplicates;
  }

  async #findExact(duplicates: Duplicates): Promise<void> {
    for (const part of partsOf('hash', this.#next, rowsAtOnce)) {
      const repeated = this.#read(`
        SELECT s.seq FROM staged s
        JOIN (SELECT hash, min(seq) AS first FROM staged WHERE ${part} GROUP BY hash HAVING count(*) > 1) f
          ON s.hash = f.hash AND s.seq > f.first
        WHERE ${part.replace('hash', 's.hash')}`);
      for await (const [seq] of repeated) duplicates.add(Number(seq), 'duplicate');
    }
  }

  /** Each row is compared with the first of every bucket it is in: linear, where all pairs would be quadratic. */
  async #findNear(duplicates: Duplicates, threshold: number): Promise<void> {
    for (const band of bands) {
      const hash = `band${band}`;
      for (const part of partsOf(hash, this.#next, rowsAtOnce)) {
        await this.database.connection.run(`
          INSERT INTO met SELECT b.seq, f.first FROM bands b
          JOIN (SELECT ${hash}, min(seq) AS first FROM bands WHERE ${part} GROUP BY ${hash} HAVING count(*) > 1) f
            ON b.${hash} = f.${hash} AND b.seq > f.first
          WHERE b.${part}`);
      }
    }
    // Most pairs meet in several bands.
    for (const part of partsOf('seq', await this.#count('met'), rowsAtOnce))
      await this.database.connection.run(`INSERT INTO pairs SELECT DISTINCT seq, first FROM met WHERE ${part}`);
    for (const part of partsOf('seq', await this.#count('pairs'), pairsAtOnce)) {
      // As a table of its own, whose size is known: what is joined must be gathered, and not all that is staged.
      await this.database.connection.run(`CREATE OR REPLACE TEMP TABLE compared AS SELECT * FROM pairs WHERE ${part}`);
      const candidates = this.#read(`
        SELECT c.seq, s.signature, t.signature FROM compared c
        JOIN staged s ON s.seq = c.seq
        JOIN staged t ON t.seq = c.first`);
      for await (const [seq, own, first] of candidates)
        if (similarity(signatureFrom(own), signatureFrom(first)) >= threshold)
          duplicates.add(Number(seq), 'near_duplicate');
    }
  }

  /** What is no duplicate, in the order it was added. */
  async *kept(duplicates: Duplicates): AsyncGenerator<KeptRow> {
    // A single table is read in the order of its rows; to sort them would write all of them to the disk once more.
    for await (const [seq, body, source, tokens] of this.#read('SELECT seq, body, source, tokens FROM staged')) {
      if (!duplicates.has(Number(seq)))
        yield { body: body as string, source: source as string, tokens: tokens as number };
    }
  }

  async #count(table: 'met' | 'pairs'): Promise<number> {
    const [[count] = []] = (await this.database.connection.runAndReadAll(`SELECT count(*) FROM ${table}`)).getRowsJS();
    return Number(count);
  }

  async *#read(query: string): AsyncGenerator<readonly unknown[]> {
    const result = await this.database.connection.stream(query);
    for await (const batch of result.yieldRowsJs()) yield* batch;
  }

  close(): void {
    this.database.rows.closeSync();
    this.database.bands.closeSync();
    this.database.connection.closeSync();
    this.database.instance.closeSync();
  }
}

/** Conditions on an integer column that divide the rows evenly, into as few parts as keep each as small as that. */
function partsOf(column: string, rows: number, atOnce: number): string[] {
  const parts = Math.max(1, Math.ceil(rows / atOnce));
  return Array.from({ length: parts }, (_, part) => `${column} % ${parts} = ${part}`);
}

/** 127 bits of SHA-256. */
const contentHash = (text: string): bigint => BigInt(`0x${sha256Hex(text).slice(0, 32)}`) >> 1n;

const contentHash32 = (text: string): number => Number.parseInt(sha256Hex(text).slice(0, 8), 16);

const signatureFrom = (blob: unknown): Uint32Array => {
  const bytes = Uint8Array.from(blob as Uint8Array);
  return new Uint32Array(bytes.buffer, 0, bytes.byteLength / 4);
};
