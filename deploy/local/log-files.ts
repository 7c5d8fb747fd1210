// The logs of what `pawl dev` runs: `.pawl/logs/<name>.log`, those of the start before beside them.

import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { localFolder } from './dev-file.js';

/** The path of an empty log; the one before is kept as `<name>.previous.log`. */
export async function freshLog(root: string, name: string): Promise<string> {
  const folder = join(localFolder(root), 'logs');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.log`);
  await rename(path, join(folder, `${name}.previous.log`)).catch(() => undefined);
  return path;
}
