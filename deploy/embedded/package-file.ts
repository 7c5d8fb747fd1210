// Finds the files that Pawl ships beside its code (its jobs, their requirements), from the sources as from the built package.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The absolute path of a file of the package, given relative to the folder of its package.json. */
export const packageFile = (relative: string): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`the package.json of Pawl is in no folder above ${import.meta.url}`);
    folder = parent;
  }
  return join(folder, relative);
};
