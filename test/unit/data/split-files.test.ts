// The local files of the splits, where the disk or the source of the rows fails.

import { mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nameFullDisk } from '../../../activities/feature-engineering/full-disk.js';
import { writeSplitFiles } from '../../../activities/feature-engineering/split-files.js';
import { dataSettings } from '../../../activities/schemas/data-settings.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'pawl-split-'))));
afterEach(() => rm(folder, { recursive: true }));

const settings = dataSettings.parse({ source: 's3://lake/' });

async function* rows(count: number, then?: Error) {
  for (let index = 0; index < count; index += 1) {
    const body = JSON.stringify({ id: String(index), text_content: 'word '.repeat(200), slices: {} });
    yield { body, source: String(index), tokens: 200 };
  }
  if (then !== undefined) throw then;
}

const write = (kept: ReturnType<typeof rows>) =>
  writeSplitFiles(kept, folder, { settings, processedAt: '2026-01-01T00:00:00.000Z', onRow() {} });

/** Files of the folder that this process holds open. */
async function heldOpen(): Promise<string[]> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(folder));
}

describe.runIf(process.platform === 'linux')('writing the splits', () => {
  test.each([
    ['every file', ['train', 'validation', 'test'], 5_000],
    ['a file that is rarely written', ['test'], 5_000],
    ['a file whose rows are all written at the end', ['train'], 20],
  ])('fails where the disk is full, and takes nothing else with it (%s)', async (_, full, count) => {
    for (const split of full) await symlink('/dev/full', join(folder, `${split}.jsonl`));
    const failure: unknown = await write(rows(count)).catch((error: unknown) => error);
    expect(nameFullDisk(failure, folder)).toMatchObject({
      type: 'Unavailable',
      message: expect.stringMatching(/disk is full.*TMPDIR/),
    });
    expect(await heldOpen()).toEqual([]);
  });

  test('closes its files where the rows fail', async () => {
    await expect(write(rows(20, new Error('the rows failed')))).rejects.toThrow('the rows failed');
    expect(await heldOpen()).toEqual([]);
  });
});

test('what DuckDB says of a full disk is known again, and what else fails stays as it is', () => {
  const error = new Error('IO Error: Could not write file "/tmp/x/rows.duckdb": No space left on device');
  expect(nameFullDisk(error, '/tmp/x')).toMatchObject({ type: 'Unavailable', cause: error });
  const other = new Error('IO Error: Permission denied');
  expect(nameFullDisk(other, '/tmp/x')).toBe(other);
});
