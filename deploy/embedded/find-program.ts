// Finds a server program: binary on PATH → Pawl's cache → fetched or built into the cache, or one clear error.

import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { SystemError } from '../../dag/failures.js';
import { cacheFolder, cachedProgram } from './cache-folder.js';
import { servers, type ServerName, type ServerProgram } from './servers.js';

const run = promisify(execFile);

export interface FindOptions {
  /** Receives one line for each thing worth telling a person. */
  readonly onProgress?: (line: string) => void;
  /** `process.env` by default. */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface FoundProgram {
  readonly path: string;
  readonly from: 'path' | 'cache' | 'download' | 'build';
}

/** The first executable of this name in PATH's folders, or undefined; relative entries are skipped. */
export const onPath = async (
  name: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> => {
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
};

const isExecutable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Whether a program found on PATH can do what Pawl needs of it; its version may be another than the pinned one. */
const isFit = async (path: string, program: ServerProgram): Promise<boolean> => {
  try {
    const { stdout, stderr } = await run(path, [...program.probeArgs], { timeout: 10_000 });
    return `${stdout}${stderr}`.includes(program.probePrints);
  } catch {
    return false;
  }
};

/** Finds the program; throws Unavailable with what to install when there is no way to get it. */
export const findProgram = async (name: ServerName, options: FindOptions = {}): Promise<FoundProgram> => {
  const { onProgress = () => undefined, environment = process.env } = options;
  const program = servers[name];
  const path = await onPath(name, environment);
  if (path !== undefined) {
    if (await isFit(path, program)) return { path, from: 'path' };
    onProgress(`${path} on PATH lacks "${program.probeArgs[0]}" as Pawl needs it; looking further`);
  }
  const cached = cachedProgram(cacheFolder(environment), program);
  if (await isExecutable(cached)) return { path: cached, from: 'cache' };
  throw new SystemError('Unavailable', `${program.title} was not found: install ${program.install}`);
};
