// A command of `pawl` as it is typed where this one was started: in a project that has it in its node_modules, by npx.

import { existsSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';

interface Started {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const modules = 'node_modules';

/** `rest`: what follows the word `pawl`. */
export function typed(rest: string, { argv, env }: Started = process): string {
  const isOfProject = (argv[1] ?? '').split(sep).includes(modules);
  return `${isOfProject && !isOnPath(env['PATH'] ?? '') ? 'npx ' : ''}pawl ${rest}`;
}

/** The folders that npm itself adds for a command are not on the path of who types. */
const isOnPath = (path: string): boolean =>
  path
    .split(delimiter)
    .some((folder) => folder !== '' && !folder.split(sep).includes(modules) && existsSync(join(folder, 'pawl')));
