// Writes the rows that are left into one local file for each split, and measures them on the way.

import { createHash, type Hash } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { DataSettings } from '../schemas/data-settings.js';
import { datasetSplits } from '../schemas/dataset.js';
import type { DatasetProfile } from '../schemas/dataset-manifest.js';
import type { DatasetRow } from './rows.js';
import { splitOf, type Split } from './split.js';
import type { KeptRow } from './staging-table.js';
import { TokenCounts } from './token-counts.js';

interface SplitFile {
  readonly stream: WriteStream;
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
  const open = (split: Split): SplitFile => ({
    stream: createWriteStream(`${folder}/${split}.jsonl`),
    content: createHash('sha256'),
    rows: 0,
  });
  const files: Record<Split, SplitFile> = { train: open('train'), validation: open('validation'), test: open('test') };
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
    const line = `${JSON.stringify({ ...row, processed_at: options.processedAt })}\n`;
    if (!file.stream.write(line)) await once(file.stream, 'drain');
  }

  await Promise.all(
    datasetSplits.map(async (split) => {
      files[split].stream.end();
      await finished(files[split].stream);
    }),
  );
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
