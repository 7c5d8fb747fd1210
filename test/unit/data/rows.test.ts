// Which records give no row, and that no two rows have one id.

import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { wordTokenizer } from '../../../activities/feature-engineering/chunk.js';
import type { SourceFile } from '../../../activities/feature-engineering/list-source.js';
import { readRecords } from '../../../activities/feature-engineering/read-records.js';
import { buildRows } from '../../../activities/feature-engineering/rows.js';
import { dataSettings } from '../../../activities/schemas/data-settings.js';

const file: SourceFile = {
  bucket: 'b',
  key: 'k/a.jsonl',
  etag: 'e',
  sizeBytes: 1,
  path: 'a.jsonl',
  document: 'a.jsonl',
  format: 'jsonl',
};
const place = { file, line: 3, nth: 3 };
const built = (given: Record<string, unknown>, settings: object, where = place) =>
  buildRows(
    given,
    where,
    dataSettings.parse({ source: 's3://lake/', kind: 'records', chunk: { minTokens: 1 }, ...settings }),
    wordTokenizer,
  );

describe('an instruction', () => {
  const instruction = { prompt: 'Which? {text_content}', completion: ' {label}\n' };

  test('whose fields are there gives a row', () => {
    expect(built({ text: 'moo', label: 0 }, { instruction })).toMatchObject({
      rows: [{ row: { prompt: 'Which? moo', completion: ' 0\n' } }],
      dropped: [],
    });
  });

  test.each([
    ['is empty', { label: '' }],
    ['is white space', { label: ' \n' }],
    ['is null', { label: null }],
    ['is absent', {}],
  ])('drops a record whose label %s', (_, given) => {
    const missing = { rows: [], dropped: ['missing_field'] };
    expect(built({ text: 'moo', ...given }, { instruction })).toMatchObject(missing);
    const fields = { prompt: 'q', completion: 'a' };
    expect(built({ q: 'one', a: 'two', ...given }, { fields, instruction })).toMatchObject(missing);
  });

  test('drops a record whose prompt is empty, unless the template is', () => {
    const asked = { prompt: '{question}', completion: '{text_content}' };
    expect(built({ text: 'moo', question: '' }, { instruction: asked })).toMatchObject({ dropped: ['missing_field'] });
    expect(built({ text: 'moo' }, { instruction: { ...asked, prompt: '' } })).toMatchObject({
      rows: [{ row: { prompt: '', completion: 'moo' } }],
    });
  });
});

test('messages without one of the assistant are dropped', () => {
  const fields = { messages: 'chat' };
  const chat = [{ role: 'user', content: 'Hello?' }];
  expect(built({ chat }, { fields }).dropped).toEqual(['missing_field']);
  expect(built({ chat: [...chat, { role: 'assistant', content: 'Yes.' }] }, { fields }).rows).toHaveLength(1);
});

test('half a character, as a cut JSON text has it, is in no row', () => {
  const half = 'moo \ud83d';
  const given = {
    text: half,
    q: half,
    a: half,
    tone: half,
    id: half,
    chat: [{ role: `assistant${half}`, content: half }],
  };
  const rows = [
    built(given, { slices: ['tone'], fields: { id: 'id' } }),
    built(given, { fields: { prompt: 'q', completion: 'a', source: 'tone' } }),
    built({ ...given, chat: [...given.chat, { role: 'assistant', content: half }] }, { fields: { messages: 'chat' } }),
  ].flatMap((one) => one.rows.map(({ row }) => JSON.stringify(row)));
  expect(rows).toHaveLength(3);
  for (const row of rows) expect(row).not.toContain('\\ud83d');
  expect(rows[0]).toContain('moo \ufffd');
});

test('no two rows have one id, whichever file, block or chunk they are from', async () => {
  const ids: (string | undefined)[] = [];
  const add = (given: Record<string, unknown>, settings: object, where: typeof place) =>
    ids.push(...built(given, settings, where).rows.map(({ row }) => row.id));

  // Two prefixes that each hold a.jsonl, in one bucket and in two.
  add({ text: 'moo' }, {}, place);
  add({ text: 'moo' }, {}, { ...place, file: { ...file, key: 'l/a.jsonl' } });
  add({ text: 'moo' }, {}, { ...place, file: { ...file, bucket: 'c' } });
  expect(new Set(ids).size).toBe(3);

  const text: SourceFile = { ...file, key: 'k/a.txt', path: 'a.txt', document: 'a.txt', format: 'text' };
  let nth = 0;
  const body = Readable.from([Buffer.from('word '.repeat(600_000))]);
  const options = { format: 'text', place: 's3://b/k/a.txt', spoolFile: '/nonexistent' } as const;
  for await (const read of readRecords(body, options)) {
    nth += 1;
    if (read.kind === 'record') add(read.record, { kind: 'documents' }, { file: text, line: read.line, nth });
  }
  expect(nth).toBe(3);
  expect(ids.length).toBeGreaterThan(1_000);
  expect(new Set(ids).size).toBe(ids.length);
});
