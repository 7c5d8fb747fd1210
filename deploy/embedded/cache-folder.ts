// Where Pawl keeps what it fetched or built once: server programs and the Python environment.

import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { ServerProgram } from './servers.js';

/** `$XDG_CACHE_HOME/pawl`, or `~/.cache/pawl`; a relative XDG_CACHE_HOME is ignored, as its specification says. */
export const cacheFolder = (environment: NodeJS.ProcessEnv = process.env): string => {
  const xdg = environment.XDG_CACHE_HOME;
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'pawl');
};

/** The program's place in the cache: `bin/<name>-<version>/<name>`. */
export const cachedProgram = (cache: string, { name, version }: ServerProgram): string =>
  join(cache, 'bin', `${name}-${version}`, name);
