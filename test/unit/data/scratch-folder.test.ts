// What a worker that was killed left on its disk goes with the next data set; what another one works in stays.

import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openScratchFolder } from '../../../activities/feature-engineering/scratch-folder.js';

const parent = await mkdtemp(join(tmpdir(), 'pawl-scratch-'));
afterAll(() => rm(parent, { recursive: true, force: true }));

const leave = async (name: string): Promise<string> => {
  await mkdir(join(parent, name));
  await writeFile(join(parent, name, 'rows.duckdb'), 'rows');
  return name;
};

test('only the folders of processes of this machine that have ended are removed', async () => {
  const { pid: ended } = spawnSync(process.execPath, ['--version']);
  await leave(`pawl-dataset-${hostname()}-${ended}-aaaaaa`);
  const kept = [
    await leave(`pawl-dataset-${hostname()}-${process.ppid}-bbbbbb`),
    await leave(`pawl-dataset-another-host-${ended}-cccccc`),
    await leave(`pawl-dataset-${hostname()}-notes`),
    await leave('something-else'),
  ];
  const own = await openScratchFolder(parent);
  expect((await readdir(parent)).sort()).toEqual([...kept, basename(own)].sort());
  expect(await readdir(own)).toEqual([]);
});
