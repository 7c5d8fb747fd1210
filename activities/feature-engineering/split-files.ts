// Writes the rows that are left into one local file for each split, and measures them on the way.

import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { DataSettings } from '../schemas/data-settings.js';
import { datasetSplits } from '../schemas/dataset.js';
import type { DatasetProfile } from '../schemas/dataset-manifest.js';
import type { DatasetRow } from './rows.js';
import { splitOf, type Split } from './split.js';
import type { KeptRow } from './staging-table.js';
import { TokenCounts } from './token-counts.js';

const bufferedChars = 256 * 1024;

interface SplitFile {
  readonly file: FileHandle;
  /** Not yet written. */
  buffered: string;
  /** Over the rows without `processed_at`. */
  readonly content: Hash;
  rows: number;
}

export interface SplitFiles {
  readonly rows: Record<Split, number>;
  readonly contentDigests: Record<Split, string>;
  readonly profile: DatasetProfile;
}

const mostCategories = 100;
const longestCategory = 80;

/** Counts values until a field turns out to have too many to be a category. */
class Categories {
  readonly #counts = new Map<string, Map<string, number> | null>();

  add(field: string, value: string): void {
    const counts = this.#counts.get(field) ?? new Map<string, number>();
    if (this.#counts.get(field) === null) return;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    this.#counts.set(field, counts.size > mostCategories || value.length > longestCategory ? null : counts);
  }

  table(): DatasetProfile['categories'] {
    const entries = [...this.#counts].flatMap(([field, counts]) =>
      counts === null
        ? []
        : [[field, Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1)))] as const],
    );
    return Object.fromEntries(entries);
  }
}

export async function writeSplitFiles(
  kept: AsyncIterable<KeptRow>,
  folder: string,
  options: { settings: DataSettings; processedAt: string; onRow: () => void },
): Promise<SplitFiles> {
  const opened: FileHandle[] = [];
  try {
    const openSplit = async (split: Split): Promise<SplitFile> => {
      const file = await open(`${folder}/${split}.jsonl`, 'w');
      opened.push(file);
      return { file, buffered: '', content: createHash('sha256'), rows: 0 };
    };
    const files: Record<Split, SplitFile> = {
      train: await openSplit('train'),
      validation: await openSplit('validation'),
      test: await openSplit('test'),
    };
    return await writeRows(kept, files, options);
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

// Written and waited for, not streamed: a stream whose disk is full fails whenever it likes, and whoever does not listen then dies.
async function flush(split: SplitFile): Promise<void> {
  const { buffered } = split;
  split.buffered = '';
  if (buffered !== '') await split.file.appendFile(buffered);
}

async function writeRows(
  kept: AsyncIterable<KeptRow>,
  files: Record<Split, SplitFile>,
  options: { settings: DataSettings; processedAt: string; onRow: () => void },
): Promise<SplitFiles> {
  const fields = new Map<string, number>();
  const categories = new Categories();
  const tokenCounts = new TokenCounts();
  let rows = 0;

  for await (const { body, source, tokens } of kept) {
    const file = files[splitOf(source, options.settings.split)];
    file.content.update(body).update('\n');
    file.rows += 1;
    rows += 1;
    tokenCounts.add(tokens);
    const row = JSON.parse(body) as DatasetRow;
    for (const name of Object.keys(row)) fields.set(name, (fields.get(name) ?? 0) + 1);
    for (const [name, value] of Object.entries(row.slices)) categories.add(name, value);
    if (row.completion !== undefined) categories.add('completion', row.completion);
    options.onRow();
    file.buffered += `${JSON.stringify({ ...row, processed_at: options.processedAt })}\n`;
    if (file.buffered.length >= bufferedChars) await flush(file);
  }
  for (const split of datasetSplits) await flush(files[split]);

  const bySplit = <Value>(of: (file: SplitFile) => Value): Record<Split, Value> => ({
    train: of(files.train),
    validation: of(files.validation),
    test: of(files.test),
  });
  return {
    rows: bySplit((file) => file.rows),
    contentDigests: bySplit((file) => file.content.digest('hex')),
    profile: {
      tokenDeciles: tokenCounts.deciles(),
      fields: Object.fromEntries([...fields].sort().map(([name, count]) => [name, count / rows])),
      categories: categories.table(),
    },
  };
}
