// Reading a source does not hold what it need not: no connection once it has failed, and not the process while it works.

import type { Readable } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { readSource } from '../../../activities/feature-engineering/read-source.js';
import type { StagingTable } from '../../../activities/feature-engineering/staging-table.js';
import { dataSettings, type DataFormat } from '../../../activities/schemas/data-settings.js';
import type { TaskContext } from '../../../dag/context.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';

let lake: MemoryObjectStore;
let bodies: Readable[];

beforeEach(() => {
  lake = new MemoryObjectStore('lake');
  bodies = [];
  const get = lake.get.bind(lake);
  lake.get = async (key, options) => {
    const object = await get(key, options);
    bodies.push(object.body);
    return object;
  };
  lake.bucket = () => lake;
});

async function read(
  content: string,
  format: DataFormat,
  { add = () => {}, signal = new AbortController().signal } = {},
) {
  const { sizeBytes, etag } = await lake.put('a', content);
  const file = { bucket: 'lake', key: 'a', path: 'a', document: 'a', etag, sizeBytes, format };
  const context = { systems: { objects: lake }, signal, progress() {} } as unknown as TaskContext;
  const settings = dataSettings.parse({ source: 's3://lake/', kind: 'records', chunk: { tokenizer: 'words' } });
  return await readSource([file], { add } as unknown as StagingTable, { folder: '/nonexistent', settings, context });
}

describe('a source that fails half-way', () => {
  const line = 'one two three four five six seven eight nine ten';
  test.each<[DataFormat, string]>([
    ['jsonl', `${JSON.stringify({ text: line })}\n`.repeat(50_000)],
    ['json', JSON.stringify(Array(50_000).fill({ text: line }))],
    ['csv', `text\n${`${line}\n`.repeat(50_000)}`],
    ['text', `${line}\n\n`.repeat(100_000)],
  ])('lets go of its connection (%s)', async (format, content) => {
    const add = () => {
      throw new Error('the table is broken');
    };
    await expect(read(content, format, { add })).rejects.toThrow('the table is broken');
    expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true]);
  });
});

test('few but huge records let a cancellation through', async () => {
  const cancelled = new AbortController();
  const timer = setTimeout(() => cancelled.abort(new Error('cancelled')), 1);
  const huge = `${JSON.stringify({ text: 'a word of 1 and 2 '.repeat(20_000) })}\n`;
  await expect(read(huge.repeat(100), 'jsonl', { signal: cancelled.signal })).rejects.toThrow('cancelled');
  clearTimeout(timer);
});
