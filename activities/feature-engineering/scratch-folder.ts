// A folder on the worker's disk for rows on their way. A worker that is killed leaves its own behind, as large as the raw data
// perhaps: the next one on that machine removes it.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

// Containers that share a disk have process ids of their own, under host names of their own.
const prefix = `pawl-dataset-${hostname()}-`;

/** An empty folder, which the caller removes. */
export async function openScratchFolder(parent = tmpdir()): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-\w{6}$/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid === undefined || !hasEnded(Number(pid))) continue;
    // Another user's, perhaps: whoever may remove it does.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
  return await mkdtemp(join(parent, `${prefix}${process.pid}-`));
}

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
