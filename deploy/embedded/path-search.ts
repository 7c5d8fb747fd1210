// Looks programs up on PATH.

import { access, constants, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/** Whether the path is a file that this user may execute. */
export const isExecutable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
};

/** Every executable of this name in PATH's folders, in their order; relative entries are skipped. */
export const programsOnPath = async (name: string, environment: NodeJS.ProcessEnv): Promise<string[]> => {
  const paths = (environment.PATH ?? '')
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name));
  const found = await Promise.all(paths.map(isExecutable));
  return paths.filter((_, index) => found[index]);
};
