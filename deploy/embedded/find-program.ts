// Finds a server program: binary on PATH → Pawl's cache → the vendor's download → built once into the cache, or one clear error.

import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { SystemError } from '../../dag/failures.js';
import { buildProgram } from './build-program.js';
import { cacheFolder, cachedProgram } from './cache-folder.js';
import { downloadProgram } from './download-program.js';
import { onceInCache } from './once-in-cache.js';
import { isExecutable, programsOnPath } from './path-search.js';
import { withProgress, type OnProgress } from './progress.js';
import type { ServerProgram } from './servers.js';

const run = promisify(execFile);

export interface FindOptions {
  /** Takes plain lines about what takes long; by default they are shown on standard error. */
  readonly onProgress?: OnProgress | undefined;
  /** `process.env` by default. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
}

export interface FoundProgram {
  readonly path: string;
  readonly from: 'path' | 'cache' | 'download' | 'build';
}

/** The address of a server that already runs, if the environment names one: then none is to be started. */
export const addressInEnvironment = (
  program: ServerProgram,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined =>
  program.addressVariables.map((name) => environment[name]).find((value) => value !== undefined && value !== '');

/** Finds the program or gets it; throws Unavailable with what to install when there is no way. */
export const findProgram = async (program: ServerProgram, options: FindOptions = {}): Promise<FoundProgram> => {
  const { onProgress, environment = process.env } = options;
  for (const path of await programsOnPath(program.name, environment)) {
    if (await isFit(path, program)) return { path, from: 'path' };
  }
  const path = cachedProgram(cacheFolder(environment), program);
  let from: FoundProgram['from'] = 'cache';
  const title = `${program.title} ${program.version}`;
  const isComplete = (): Promise<boolean> => isExecutable(path);
  await onceInCache({ folder: dirname(path), title, isComplete, onProgress }, async (partial) => {
    from = await obtain(program, partial, { onProgress, environment });
  });
  return { path, from };
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

type Obtained = 'download' | 'build';

const obtain = async (
  program: ServerProgram,
  folder: string,
  { onProgress, environment }: { onProgress: OnProgress | undefined; environment: NodeJS.ProcessEnv },
): Promise<Obtained> => {
  const name = `${program.title} ${program.version}`;
  const failed: string[] = [];
  const attempt = async (
    how: Obtained,
    title: string,
    work: Parameters<typeof withProgress<void>>[1],
  ): Promise<boolean> => {
    try {
      await withProgress(title, work, { onProgress });
      return true;
    } catch (error) {
      failed.push(`${how}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };
  if (
    program.download !== undefined &&
    (await attempt('download', `downloading ${name}`, (describe) => downloadProgram(program, folder, describe)))
  ) {
    return 'download';
  }
  const title = `building ${name} (once, about ${program.buildMinutes} minutes on two cores)`;
  if (await attempt('build', title, (describe) => buildProgram(program, folder, { environment, describe }))) {
    return 'build';
  }
  throw new SystemError(
    'Unavailable',
    `${name} is neither on PATH nor in Pawl's cache and could not be had (${failed.join('; ')}): install ${program.install}`,
  );
};
