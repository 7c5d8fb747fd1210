// Which rows are near-duplicates of each other, in the staging table itself.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DatasetRow } from '../../../activities/feature-engineering/rows.js';
import { StagingTable } from '../../../activities/feature-engineering/staging-table.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'pawl-near-'))));
afterEach(() => rm(folder, { recursive: true }));

const long = Array.from({ length: 120 }, (_, index) => `word${(index * 7919) % 1000}`).join(' ');
const nearly = `${long} more`;

type Content = Pick<DatasetRow, 'text_content'> & Partial<DatasetRow>;

/** How many of the rows are dropped as near-duplicates. */
async function nearDuplicates(...contents: Content[]): Promise<number> {
  const table = await StagingTable.open(folder, { exact: true, nearThreshold: 0.85 });
  try {
    contents.forEach((content, index) => {
      const id = String(index);
      table.add({
        row: { id, chunk_id: id, source_document_id: id, source: id, slices: {}, ...content },
        tokens: 1,
      });
    });
    const { counts } = await table.findDuplicates();
    expect(counts.duplicate).toBeUndefined();
    return counts.near_duplicate ?? 0;
  } finally {
    table.close();
  }
}

const pair = (prompt: string, completion: string): Content => ({
  text_content: `${prompt}\n${completion}`,
  prompt,
  completion,
});

const chat = (question: string, answer: string): Content => ({
  text_content: `user: ${question}\nassistant: ${answer}`,
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});

const put = (text_content: string, prompt: string, completion: string): Content => ({
  text_content,
  prompt,
  completion,
});

describe('near-duplicates are', () => {
  test.each<[string, Content, Content]>([
    ['texts', { text_content: long }, { text_content: nearly }],
    ['prompts with the same completion', pair(long, 'yes'), pair(nearly, 'yes')],
    ['texts in the same instruction', put(long, `Which?\n${long}`, ' de'), put(nearly, `Which?\n${nearly}`, ' de')],
    ['texts to be learnt', put(long, '', long), put(nearly, '', nearly)],
    [
      'questions of pairs in the same instruction',
      put(`${long}\nyes`, `Q: ${long}\nA:`, ' yes'),
      put(`${nearly}\nyes`, `Q: ${nearly}\nA:`, ' yes'),
    ],
    ['conversations with the same answers', chat(long, 'yes'), chat(nearly, 'yes')],
  ])('%s that differ in a word', async (_, left, right) => expect(await nearDuplicates(left, right)).toBe(1));
});

describe('no near-duplicates are', () => {
  test.each<[string, Content, Content]>([
    ['the same prompt with another completion', pair(long, 'yes'), pair(long, 'no')],
    ['the same text with another label', put(long, `Which?\n${long}`, ' de'), put(long, `Which?\n${long}`, ' en')],
    ['the same text in another prompt', put(long, `${long}\nWho?`, ' Ada'), put(long, `${long}\nWhere?`, ' Ada')],
    [
      'the same context with another question',
      put('Who?\nAda', `${long}\nWho?`, 'Ada'),
      put('Which?\nAda', `${long}\nWhich?`, 'Ada'),
    ],
    ['the same question with another answer', chat(long, 'yes'), chat(long, 'no')],
    ['texts without words', { text_content: '\u{1f600}' }, { text_content: '\u{1f622} ...' }],
  ])('%s', async (_, left, right) => expect(await nearDuplicates(left, right)).toBe(0));
});
