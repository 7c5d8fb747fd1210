import { describe, expect, test } from 'vitest';
import { chunkText, loadTokenizer, wordTokenizer } from '../../../activities/feature-engineering/chunk.js';
import { brokenExpectations } from '../../../activities/feature-engineering/expectations.js';
import { maskPersonalData } from '../../../activities/feature-engineering/mask.js';
import { signatureOf, similarity } from '../../../activities/feature-engineering/near-duplicates.js';
import { normalise } from '../../../activities/feature-engineering/normalise.js';
import { buildRows } from '../../../activities/feature-engineering/rows.js';
import { splitOf } from '../../../activities/feature-engineering/split.js';
import { dataSettings, personalDataClasses } from '../../../activities/schemas/data-settings.js';
import type { DatasetManifest } from '../../../activities/schemas/dataset-manifest.js';

const mask = (text: string) => maskPersonalData(text, personalDataClasses).text;

describe('masking personal data', () => {
  test.each([
    ['write to ada.lovelace+x@example.co.uk today', 'write to [EMAIL] today'],
    ['card 4111 1111 1111 1111 expires', 'card [CREDIT-CARD] expires'],
    ['pay DE89 3704 0044 0532 0130 00 now', 'pay [IBAN] now'],
    ['call +49 30 901820 or (555) 123-4567', 'call [PHONE] or [PHONE]'],
    ['from 192.168.2.10 came', 'from [IP-ADDRESS] came'],
    ['ssn 536-90-4399.', 'ssn [US-SSN].'],
    ['key AKIAIOSFODNN7EXAMPLE leaked', 'key [SECRET] leaked'],
  ])('%s', (text, masked) => expect(mask(text)).toBe(masked));

  test.each([
    'order 4111 1111 1111 1112 fails the Luhn check',
    'version 1.2.3.4567 and 300.1.2.3 are no addresses',
    'DE00 3704 0044 0532 0130 00 fails modulo 97',
    'the year 2026 and 1,234,567 rows',
  ])('leaves alone: %s', (text) => expect(mask(text)).toBe(text));

  test('masks only the classes that were asked for', () => {
    expect(maskPersonalData('a@b.org 10.0.0.1', ['email']).text).toBe('[EMAIL] 10.0.0.1');
  });
});

describe('the rows of a record', () => {
  const tokenizer = wordTokenizer;
  const place = {
    file: {
      bucket: 'b',
      key: 'k/a.jsonl',
      etag: 'e',
      sizeBytes: 1,
      path: 'de/a.jsonl',
      document: 'de/a.jsonl',
      format: 'jsonl' as const,
    },
    line: 3,
    nth: 3,
  };
  const record = { q: ' Where is  my order?', a: 'You can see it.', tone: 'mail me: ada@example.org' };
  const built = (settings: object, given: Record<string, unknown> = record) =>
    buildRows(given, place, dataSettings.parse({ source: 's3://lake/', kind: 'records', ...settings }), tokenizer);
  const fields = { prompt: 'q', completion: 'a' };

  test('are a prompt and a completion, as they stand there, where nothing is said of an instruction', () => {
    expect(built({ fields }).rows[0]?.row).toMatchObject({
      prompt: 'Where is my order?',
      completion: 'You can see it.',
      text_content: 'Where is my order?\nYou can see it.',
    });
  });

  test('are put as the instruction says, whose templates may name any field', () => {
    const instruction = { prompt: '[{folder}] {q}\nTone: {tone}\n', completion: '{a}\n' };
    const { rows, masked } = built({ fields, instruction });
    expect(rows[0]?.row).toMatchObject({
      prompt: '[de] Where is my order?\nTone: mail me: [EMAIL]\n',
      completion: 'You can see it.\n',
    });
    expect(masked).toEqual({ email: 1 });
    expect(
      built({ fields, instruction: { prompt: '{q}', completion: '{empty}' } }, { ...record, empty: '' }),
    ).toMatchObject({
      rows: [],
      dropped: ['missing_field'],
    });
  });

  test('name no personal data in an instruction, whichever field it is from', () => {
    const instruction = { prompt: '{text_content} for {tone}', completion: '{tone}' };
    const chunk = { minTokens: 1, tokenizer: 'words' };
    const { rows, masked } = built({ fields: { text: 'a' }, instruction, chunk });
    expect(rows[0]?.row).toMatchObject({
      prompt: 'You can see it. for mail me: [EMAIL]',
      completion: 'mail me: [EMAIL]',
    });
    expect(masked).toEqual({ email: 1 });
  });
});

test('normalising gives one form of Unicode, one line end and no invisible characters', () => {
  expect(normalise('\ufeffCafe\u0301\r\n\r\n\r\n\r\nzero\u200bwidth  two\u00a0spaces ')).toBe(
    'Café\n\nzerowidth two spaces',
  );
});

describe('chunking', () => {
  const text = Array.from({ length: 60 }, (_, index) => `Sentence number ${index} has six words.`).join(' ');

  test.each(['words', 'o200k_base'] as const)(
    'no chunk is longer than asked for, and nothing is lost (%s)',
    async (name) => {
      const tokenizer = await loadTokenizer(name);
      const chunks = chunkText(text, { maxTokens: 40, overlapTokens: 10 }, tokenizer);
      expect(chunks.length).toBeGreaterThan(5);
      for (const chunk of chunks) expect(chunk.tokens).toBeLessThanOrEqual(40);
      for (let index = 0; index < 60; index += 1)
        expect(chunks.some((chunk) => chunk.text.includes(`number ${index} has`))).toBe(true);
    },
  );

  test('each chunk begins with the end of the one before', () => {
    const chunks = chunkText(text, { maxTokens: 40, overlapTokens: 12 }, wordTokenizer);
    for (const [index, chunk] of chunks.slice(1).entries()) {
      const firstSentence = chunk.text.slice(0, chunk.text.indexOf('.') + 1);
      expect(chunks[index]!.text.endsWith(firstSentence) || chunks[index]!.text.includes(firstSentence)).toBe(true);
    }
  });

  test('a word longer than a chunk is cut, not lost', async () => {
    const tokenizer = await loadTokenizer('o200k_base');
    const long = 'x'.repeat(5_000);
    const chunks = chunkText(long, { maxTokens: 32, overlapTokens: 0 }, tokenizer);
    expect(chunks.map((chunk) => chunk.text).join('')).toBe(long);
  });
});

test('near-duplicates are told from different texts', () => {
  const words = Array.from({ length: 200 }, (_, index) => `word${(index * 7919) % 1000}`);
  const changed = [...words.slice(0, 100), 'another', ...words.slice(101)];
  const other = Array.from({ length: 200 }, (_, index) => `term${(index * 104729) % 1000}`);
  const signature = signatureOf(words.join(' '));
  expect(similarity(signature, signatureOf(words.join(' ')))).toBe(1);
  expect(similarity(signature, signatureOf(changed.join(' ')))).toBeGreaterThan(0.85);
  expect(similarity(signature, signatureOf(other.join(' ')))).toBeLessThan(0.2);
});

test('a source is in one split, and the shares come near what was asked for', () => {
  const settings = dataSettings.parse({ source: 's3://lake/' }).split;
  const splits = Array.from({ length: 5_000 }, (_, index) => splitOf(`document-${index}`, settings));
  expect(splits).toEqual(Array.from({ length: 5_000 }, (_, index) => splitOf(`document-${index}`, settings)));
  const share = splits.filter((split) => split === 'test').length / splits.length;
  expect(share).toBeGreaterThan(0.08);
  expect(share).toBeLessThan(0.12);
});

describe('expectations', () => {
  const settings = dataSettings.parse({
    source: 's3://lake/',
    expect: { minRows: 100, maxRowChangePercent: 40, fields: ['prompt'], maxLengthChangePercent: 50 },
  });
  const profile = {
    tokenDeciles: [1, 2, 3, 4, 5, 60, 70, 80, 90, 95, 99],
    fields: { prompt: 1, text_content: 1 },
    categories: {},
  };
  const good = { rows: { train: 800, validation: 100, test: 100 }, records: 1_000, quarantinedRows: 5, profile };
  const last = { rows: { train: 800, validation: 100, test: 100 }, profile } as unknown as DatasetManifest;

  test('all hold', () => expect(brokenExpectations(good, settings, last)).toEqual([]));
  test.each([
    [{ ...good, quarantinedRows: 50 }, /5\.0 % of the records are malformed/],
    [{ ...good, rows: { train: 50, validation: 5, test: 5 } }, /at least 100 are expected/],
    [{ ...good, rows: { train: 1_800, validation: 100, test: 100 } }, /changed from 1000 to 2000/],
    [{ ...good, rows: { train: 1_000, validation: 0, test: 100 } }, /validation split/],
    [{ ...good, profile: { ...profile, fields: { text_content: 1 } } }, /'prompt'/],
    [
      { ...good, profile: { ...profile, tokenDeciles: profile.tokenDeciles.map((value) => value * 3) } },
      /median length/,
    ],
  ])('one is broken (%#)', (candidate, sentence) => {
    expect(brokenExpectations(candidate, settings, last).join('; ')).toMatch(sentence);
  });

  test.each([
    ['fields', { fields: { prompt: 'q', completion: 'a' } }],
    ['instruction', { instruction: { prompt: '{text_content}', completion: ' {folder}' } }],
  ])('a field of the last data set may be given up, and must not go missing (%s)', (_, asking) => {
    const pairs = { ...profile, fields: { prompt: 1, completion: 1, text_content: 1 } };
    const before = { ...last, profile: pairs };
    const texts = { ...good, profile: { ...profile, fields: { text_content: 1 } } };
    const parse = (changed: object) => dataSettings.parse({ source: 's3://lake/', ...changed });
    expect(brokenExpectations(texts, parse({}), before)).toEqual([]);
    expect(brokenExpectations(texts, parse(asking), before).join('; ')).toMatch(
      /fields prompt, completion .* are gone/,
    );
  });
});
