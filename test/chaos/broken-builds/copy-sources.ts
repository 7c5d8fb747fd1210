// A copy of the working tree, as git sees it, with a mistake in it.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Edit } from './builds.js';

const run = promisify(execFile);

/** The text with the edit made. Throws where what is to be replaced is not there, or not once. */
export function breakText(text: string, { file, find, replace }: Edit): string {
  const times = text.split(find).length - 1;
  if (times === 1) return text.replace(find, () => replace);
  throw new Error(`The table of broken builds is stale: ${file} holds ${times} times what it is to hold once: ${find}`);
}

/** What git tracks and what it would, as it is now; packages are linked, and their caches are the copy's own. */
export async function copySources(root: string, folder: string): Promise<void> {
  const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const { stdout } = await run('git', listing, { cwd: root, maxBuffer: 64 * 2 ** 20 });
  for (const path of stdout.split('\0').filter(Boolean)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    // A file that was deleted, and whose deletion is not committed yet.
    await cp(join(root, path), join(folder, path)).catch(ignoreMissing);
  }
  const packages = join(root, 'node_modules');
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(packages))
    if (!name.startsWith('.') || name === '.bin')
      await symlink(join(packages, name), join(folder, 'node_modules', name));
}

export async function applyEdits(folder: string, edits: readonly Edit[]): Promise<void> {
  for (const edit of edits) {
    const path = join(folder, edit.file);
    await writeFile(path, breakText(await readFile(path, 'utf8'), edit));
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
