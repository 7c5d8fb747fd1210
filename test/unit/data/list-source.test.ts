// Which documents a source is made of: those of two prefixes are two, whatever they are called, and the same ones tomorrow.

import { expect, test } from 'vitest';
import { wordTokenizer } from '../../../activities/feature-engineering/chunk.js';
import { listSource } from '../../../activities/feature-engineering/list-source.js';
import { buildRows } from '../../../activities/feature-engineering/rows.js';
import { dataSettings } from '../../../activities/schemas/data-settings.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';

async function documentsUnder(...source: readonly string[]): Promise<string[]> {
  const objects = new MemoryObjectStore();
  const settings = dataSettings.parse({ source, chunk: { minTokens: 1 } });
  for (const uri of source) {
    const { host: bucket, pathname } = new URL(uri);
    await objects.bucket(bucket).createBucketIfMissing();
    for (const name of ['part-0.md', 'de/part-0.jsonl'])
      await objects.bucket(bucket).put(`${pathname.slice(1).replace(/[^/]*$/, '')}${name}`, 'moo');
  }
  const files = await listSource(objects, settings);
  return files.flatMap((file) =>
    buildRows({ text: 'moo', text_content: 'moo' }, { file, line: 1, nth: 1 }, settings, wordTokenizer).rows.map(
      ({ row }) => row.source,
    ),
  );
}

const ofOne = ['de/part-0.jsonl#1', 'part-0.md'];

test.each([
  ['a folder', ['s3://lake/a/'], ofOne],
  ['a folder of another day', ['s3://lake/2026-03-02/a/'], ofOne],
  ['two folders', ['s3://lake/a/', 's3://lake/b/'], ['a/', 'b/']],
  ['two folders of a day', ['s3://lake/2026-03-02/a/', 's3://lake/2026-03-02/b/'], ['a/', 'b/']],
  ['two folders with days in them', ['s3://lake/a/2026-03-01/', 's3://lake/b/2026-03-01/'], ['a/…/', 'b/…/']],
  ['and those of the next day', ['s3://lake/a/2026-03-02/', 's3://lake/b/2026-03-02/'], ['a/…/', 'b/…/']],
  ['two buckets', ['s3://lake/a/', 's3://pond/a/'], ['lake/…/', 'pond/…/']],
  ['what lies deeper in one of them', ['s3://lake/a/', 's3://lake/b/a/'], ['…/', 'b/…/']],
])('the documents of %s', async (_, source, folders) => {
  const expected = source.length === 1 ? folders : folders.flatMap((folder) => ofOne.map((name) => `${folder}${name}`));
  expect(await documentsUnder(...source)).toEqual(expected);
});

test('a file below two of the prefixes is one document', async () => {
  const documents = await documentsUnder('s3://lake/a/', 's3://lake/a/de/');
  expect(new Set(documents)).toEqual(new Set([...ofOne, 'de/part-0.md', 'de/de/part-0.jsonl#1']));
});
