// The data stage on a real S3 server: the same input gives the same data set, bad data is stopped before anything is trained.

import { createHash, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DuckDBInstance } from '@duckdb/node-api';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { featureEngineering } from '../../activities/feature-engineering.js';
import { readManifest } from '../../activities/feature-engineering/find-dataset.js';
import { dataSettings } from '../../activities/schemas/data-settings.js';
import type { TaskContext } from '../../dag/context.js';
import type { Systems } from '../../systems/systems.js';
import { parseS3Uri } from '../../systems/object-store/keys.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';

let home: S3ObjectStore;
let lake: S3ObjectStore;

beforeAll(async () => {
  const id = randomUUID().slice(0, 8);
  const { endpoint, region, ...credentials } = inject('s3');
  home = new S3ObjectStore({ bucket: `pawl-${id}`, endpoint, region, credentials });
  lake = home.bucket(`lake-${id}`);
  await home.createBucketIfMissing();
  await lake.createBucketIfMissing();
});

const contextOf = (logicalDate = '2026-01-02T03:00:00.000Z', signal = new AbortController().signal): TaskContext => ({
  systems: { environment: 'dev', objects: home } as unknown as Systems,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  progress() {},
  lastProgress: undefined,
  signal,
  run: { dag: 'test', environment: 'dev', workflowId: 'w', runId: 'r', logicalDate, trigger: 'manual' },
  step: { id: 'feature-engineering', attempt: 1, key: 'r.feature-engineering.0' },
});

const run = (model: string, prefix: string, settings: object = {}, context = contextOf()) =>
  featureEngineering.run(
    { model, data: dataSettings.parse({ source: `s3://${lake.bucketName}/${prefix}/`, ...settings }) },
    context,
  );

const rowsOf = async (uri: string, split: string): Promise<Record<string, unknown>[]> => {
  const { bucket, key } = parseS3Uri(uri);
  const body = await text((await home.bucket(bucket).get(`${key}${split}.jsonl`)).body);
  return body
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

const allRows = async (uri: string) =>
  (await Promise.all(['train', 'validation', 'test'].map((split) => rowsOf(uri, split)))).flat();

/** Words that differ from seed to seed. */
const paragraph = (seed: number): string =>
  createHash('shake256', { outputLength: 240 }).update(String(seed)).digest('hex').replace(/.{4}/g, 'w$& ').trim();

const documents = async (prefix: string, count: number): Promise<void> => {
  for (let index = 0; index < count; index += 1) {
    await lake.put(
      `${prefix}/${index % 2 === 0 ? 'even' : 'odd'}/doc-${index}.md`,
      `# Title ${index}\n\n${paragraph(index)}\n\nmail me: a${index}@example.org\n`,
    );
  }
};

describe('documents', () => {
  test('become chunks in three splits that share no document, masked, under one id whatever the date', async () => {
    await documents('docs', 60);
    const settings = {
      chunk: { maxTokens: 64, overlapTokens: 8, tokenizer: 'words' },
      instruction: { prompt: 'Which?\n{text_content}', completion: ' {folder}' },
      slices: ['folder'],
    };
    const first = await run('docs', 'docs', settings);
    expect(first).toMatchObject({ reused: false, masked: { email: 60 } });
    const rows = await allRows(first.dataset.uri);
    expect(rows.length).toBe(Object.values(first.dataset.rows).reduce((sum, count) => sum + count, 0));
    expect(rows[0]).toMatchObject({
      chunk_id: expect.any(String),
      source_document_id: expect.stringMatching(/^(even|odd)\/doc-\d+\.md$/),
      text_content: expect.any(String),
      processed_at: '2026-01-02T03:00:00.000Z',
      completion: expect.stringMatching(/^ (even|odd)$/),
    });
    expect(rows.some((row) => String(row['text_content']).includes('@example.org'))).toBe(false);
    const splitsOf = new Map<string, Set<string>>();
    for (const split of ['train', 'validation', 'test']) {
      for (const row of await rowsOf(first.dataset.uri, split)) {
        const id = row['source_document_id'] as string;
        splitsOf.set(id, (splitsOf.get(id) ?? new Set()).add(split));
      }
    }
    expect([...splitsOf.values()].every((splits) => splits.size === 1)).toBe(true);

    // The same input again is found, and built anew under another date it is the same data set.
    expect(await run('docs', 'docs', settings, contextOf('2026-02-02T03:00:00.000Z'))).toMatchObject({
      reused: true,
      dataset: first.dataset,
    });
    const other = await run('docs-again', 'docs', settings, contextOf('2026-02-02T03:00:00.000Z'));
    expect(other.dataset.id).toBe(first.dataset.id);
    const manifest = await readManifest(home, 'docs', first.dataset.id);
    expect(manifest).toMatchObject({
      input: { files: 60 },
      profile: { categories: { folder: { even: expect.any(Number) } } },
    });
    expect(manifest?.profile.tokenDeciles).toHaveLength(11);
  });

  test('exact and near duplicates are dropped and counted, the first stays', async () => {
    await documents('dup', 40);
    await lake.put('dup/z-copy.md', `# Title 0\n\n${paragraph(0)}\n\nmail me: a0@example.org\n`);
    await lake.put('dup/z-near.md', `# Title 2\n\n${paragraph(2)} one more\n\nmail me: a2@example.org\n`);
    const result = await run('dup', 'dup', { chunk: { maxTokens: 512, overlapTokens: 0, tokenizer: 'words' } });
    expect(result.dropped).toEqual({ duplicate: 1, near_duplicate: 1 });
    const ids = (await allRows(result.dataset.uri)).map((row) => row['source_document_id']);
    expect(ids).toHaveLength(40);
    expect(ids).not.toContain('z-copy.md');
  });
});

describe('records', () => {
  const record = (index: number) => ({
    id: `r${index}`,
    question: `question ${index} ${paragraph(index)}`,
    answer: `answer ${index}`,
    lang: index % 3 === 0 ? 'de' : 'en',
  });
  const settings = {
    kind: 'records',
    fields: { id: 'id', prompt: 'question', completion: 'answer' },
    slices: ['lang'],
    chunk: { tokenizer: 'words' },
  };

  test('are read from JSONL, JSON, CSV and Parquet alike', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-test-'));
    const records = Array.from({ length: 50 }, (_, index) => record(index));
    const jsonl = records.map((row) => JSON.stringify(row)).join('\n');
    await lake.put('jsonl/a.jsonl', jsonl);
    await lake.put('json/a.json', JSON.stringify(records));
    await lake.put(
      'csv/a.csv',
      ['id,question,answer,lang', ...records.map((row) => Object.values(row).join(','))].join('\n'),
    );
    const duckdb = await DuckDBInstance.create(':memory:');
    const connection = await duckdb.connect();
    await connection.run('CREATE TABLE r (id VARCHAR, question VARCHAR, answer VARCHAR, lang VARCHAR)');
    const appender = await connection.createAppender('r');
    for (const row of records) {
      for (const value of Object.values(row)) appender.appendVarchar(value);
      appender.endRow();
    }
    appender.closeSync();
    await connection.run(`COPY r TO '${folder}/a.parquet' (FORMAT parquet)`);
    duckdb.closeSync();
    await lake.put('parquet/a.parquet', await readFile(`${folder}/a.parquet`));
    await rm(folder, { recursive: true });

    const ids = new Set<string>();
    for (const format of ['jsonl', 'json', 'csv', 'parquet']) {
      const { dataset } = await run(`records-${format}`, format, settings);
      expect((await allRows(dataset.uri)).map((row) => row['prompt']).sort(), format).toEqual(
        records.map((row) => row.question).sort(),
      );
      ids.add(JSON.stringify(dataset.rows));
    }
    expect(ids.size).toBe(1);
  });

  test('malformed rows are quarantined with file and line, and too many of them stop the run', async () => {
    const lines = Array.from({ length: 200 }, (_, index) => JSON.stringify(record(index)));
    lines[6] = '{"id": "broken';
    await lake.put('some/a.jsonl', lines.join('\n'));
    const result = await run('some', 'some', settings);
    expect(result.quarantined).toMatchObject({ rows: 1, percent: 0.5 });
    const { bucket, key } = parseS3Uri(result.quarantined.uri!);
    const quarantined = JSON.parse(await text((await home.bucket(bucket).get(key)).body)) as object;
    expect(quarantined).toMatchObject({ file: `s3://${lake.bucketName}/some/a.jsonl`, line: 7 });

    lines.fill('nonsense', 0, 20);
    await lake.put('many/a.jsonl', lines.join('\n'));
    await expect(run('many', 'many', settings)).rejects.toMatchObject({
      type: 'DataRejected',
      message: expect.stringMatching(/10\.0 % of the records are malformed.*quarantine\.jsonl/),
    });
    expect(await lastAccepted('many')).toBeUndefined();
  });

  const lastAccepted = (model: string) => home.head(`datasets/${model}/latest/dev.json`);

  test('a bad data day leaves the last accepted data set where it was', async () => {
    const expecting = { ...settings, expect: { maxRowChangePercent: 40 } };
    const lines = Array.from({ length: 200 }, (_, index) => JSON.stringify(record(index)));
    await lake.put('daily/a.jsonl', lines.join('\n'));
    await run('daily', 'daily', expecting);
    const before = await lastAccepted('daily');
    await lake.put('daily/a.jsonl', lines.slice(0, 50).join('\n'));
    await expect(run('daily', 'daily', expecting)).rejects.toMatchObject({
      type: 'DataRejected',
      message: expect.stringMatching(/from 200 to 50/),
    });
    expect((await lastAccepted('daily'))?.etag).toBe(before?.etag);
  });
});

test('an empty source and an unknown format are one sentence each', async () => {
  await expect(run('none', 'nothing-here')).rejects.toMatchObject({
    type: 'NotFound',
    message: expect.stringContaining('nothing-here'),
  });
  await lake.put('odd-format/a.xlsx', 'x');
  await expect(run('odd', 'odd-format')).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringContaining('a.xlsx'),
  });
});
