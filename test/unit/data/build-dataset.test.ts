// The data stage over a store in memory: what a data set is when two days, two runs or a death meet in it.

import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import { featureEngineering } from '../../../activities/feature-engineering.js';
import { readManifest } from '../../../activities/feature-engineering/find-dataset.js';
import { dataSettings } from '../../../activities/schemas/data-settings.js';
import type { TaskContext } from '../../../dag/context.js';
import { sha256Hex } from '../../../dag/digest.js';
import { datasetManifestKey, parseS3Uri } from '../../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';
import type { Systems } from '../../../systems/systems.js';

let home: MemoryObjectStore;
let lake: MemoryObjectStore;

beforeEach(async () => {
  home = new MemoryObjectStore('home');
  lake = home.bucket('lake');
  await lake.createBucketIfMissing();
});

const contextOf = (logicalDate: string, objects = home): TaskContext => ({
  systems: { environment: 'dev', objects } as unknown as Systems,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  progress() {},
  lastProgress: undefined,
  signal: new AbortController().signal,
  run: { dag: 'test', environment: 'dev', workflowId: 'w', runId: 'r', logicalDate, trigger: 'manual' },
  step: { id: 'feature-engineering', attempt: 1, key: 'r.feature-engineering.0' },
});

const dayOne = '2026-01-01T03:00:00.000Z';
const dayTwo = '2026-01-02T03:00:00.000Z';
const settings = {
  source: 's3://lake/qa/',
  kind: 'records',
  fields: { id: 'id', prompt: 'q', completion: 'a' },
  chunk: { tokenizer: 'words' },
};

const run = (context: TaskContext, changed: object = {}) =>
  featureEngineering.run({ model: 'bot', data: dataSettings.parse({ ...settings, ...changed }) }, context);

const lines = (count: number): string[] =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({ id: `r${index}`, q: `what of ${sha256Hex(String(index))}`, a: `this ${index}` }),
  );

const bytesAt = async (key: string): Promise<Buffer> => buffer((await home.get(key)).body);

/** Every file is what the manifest says of it. */
async function expectWhole(id: string): Promise<void> {
  const manifest = await readManifest(home, 'bot', id);
  expect(manifest?.files).toHaveLength(3);
  for (const { path, sha256, sizeBytes } of manifest?.files ?? []) {
    const bytes = await bytesAt(`datasets/bot/${id}/${path}`);
    expect([path, sha256Hex(bytes), bytes.length]).toEqual([path, sha256, sizeBytes]);
  }
}

describe('a data set that was accepted', () => {
  test('stays as it is where another export gives the same rows, and is found by that export too', async () => {
    await lake.put('qa/a.jsonl', lines(60).join('\n'));
    const first = await run(contextOf(dayOne));
    const key = `datasets/bot/${first.dataset.id}/train.jsonl`;
    const before = [await home.head(key), await home.head(datasetManifestKey('bot', first.dataset.id))];

    await lake.put('qa/a.jsonl', `${lines(60).join('\n')}\n\n`);
    expect(await run(contextOf(dayTwo))).toMatchObject({ reused: false, dataset: first.dataset });
    expect([await home.head(key), await home.head(datasetManifestKey('bot', first.dataset.id))]).toEqual(before);
    await expectWhole(first.dataset.id);
    expect(await run(contextOf(dayTwo))).toMatchObject({ reused: true, dataset: first.dataset });
  });

  test('keeps its quarantine where another export with the same rows has another one', async () => {
    const expect99 = { expect: { maxQuarantinedPercent: 99 } };
    await lake.put('qa/a.jsonl', ['nonsense', ...lines(60)].join('\n'));
    const first = await run(contextOf(dayOne), expect99);
    const { key } = parseS3Uri(first.quarantined.uri!);
    const before = await bytesAt(key);

    await lake.put('qa/a.jsonl', `${['nonsense', ...lines(60)].join('\n')}\nnonsense\n`);
    const second = await run(contextOf(dayTwo), expect99);
    expect(second).toMatchObject({ dataset: first.dataset, quarantined: { rows: 2 } });
    expect(second.quarantined.uri).not.toBe(first.quarantined.uri);
    expect(await bytesAt(key)).toEqual(before);
  });

  test('is whole where a run died before its manifest and another day finished it', async () => {
    const dying = home.bucket('home');
    dying.put = async (key, body, options) => {
      if (key.endsWith('manifest.json')) throw new Error('killed');
      return await home.put(key, body, options);
    };
    await lake.put('qa/a.jsonl', lines(60).join('\n'));
    await expect(run(contextOf(dayOne, dying))).rejects.toThrow('killed');
    const { dataset } = await run(contextOf(dayTwo));
    await expectWhole(dataset.id);
  });

  test('is whole where a run of another date stores it while it is being stored', async () => {
    const slow = home.bucket('home');
    slow.put = async (key, body, options) => {
      const stored = await home.put(key, body, options);
      if (key.endsWith('train.jsonl')) await run(contextOf(dayTwo));
      return stored;
    };
    await lake.put('qa/a.jsonl', lines(60).join('\n'));
    const { dataset } = await run(contextOf(dayOne, slow));
    await expectWhole(dataset.id);
  });
});

describe('a file that cannot be read to its end', () => {
  test('rejects the data, with file and line, whatever share of malformed rows is allowed', async () => {
    const csv = ['id,q,a', ...Array.from({ length: 200 }, (_, row) => `r${row},what ${row},this ${row}`)];
    csv[150] = 'r149,what "149,this';
    await lake.put('qa/a.csv', csv.join('\n'));
    const tolerant = { expect: { maxQuarantinedPercent: 50 } };
    expect(await run(contextOf(dayOne), tolerant)).toMatchObject({ quarantined: { rows: 1 } });

    csv[150] = 'r149,"what 149,this';
    await lake.put('qa/a.csv', csv.join('\n'));
    await expect(run(contextOf(dayTwo), tolerant)).rejects.toMatchObject({
      type: 'DataRejected',
      message: expect.stringMatching(
        /s3:\/\/lake\/qa\/a\.csv cannot be read from line 151 on \(Quote Not Closed.*quarantine\.jsonl/,
      ),
    });
    const stored: string[] = [];
    for await (const { key } of home.list('datasets/bot/')) stored.push(key.replace(/[0-9a-f]{64}/, 'ID'));
    expect(stored.filter((key) => key.endsWith('manifest.json'))).toHaveLength(1);
    expect(stored.filter((key) => key.endsWith('quarantine.jsonl'))).toHaveLength(2);
  });
});
