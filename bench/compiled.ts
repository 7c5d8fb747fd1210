// Compiles what is measured as a process of its own, so that no figure holds the time of a loader that the package has not.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildWorkflowBundle } from '../workers/bundle.js';

const root = fileURLToPath(new URL('../', import.meta.url));
/** Below `node_modules`, so that its programs find their packages. */
const outFolder = join(root, 'node_modules', '.cache', 'pawl-bench');
let compiling: Promise<string> | undefined;

export interface Compiled {
  /** The command line of a program by its source: `workers/main`. */
  readonly command: (program: string, args?: readonly string[]) => { command: string; args: string[] };
  readonly workflowBundle: string;
}

/** Plain tsc, as the package is built, with the workflow bundle beside it; once a process, and quick where little changed. */
export async function compiled(): Promise<Compiled> {
  const folder = await (compiling ??= compile());
  return {
    command: (program, args = []) => ({
      command: process.execPath,
      args: [join(folder, `${program}.js`), ...args],
    }),
    workflowBundle: join(folder, 'workflow-bundle.js'),
  };
}

async function compile(): Promise<string> {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', 'bench/tsconfig.programs.json'], { cwd: root }).catch(
    (error: Error & { stdout?: string }) => {
      throw new Error(`the measured programs do not compile: ${error.stdout || error.message}`);
    },
  );
  await writeFile(join(outFolder, 'package.json'), '{"type":"module"}');
  await writeFile(join(outFolder, 'workflow-bundle.js'), await buildWorkflowBundle());
  return outFolder;
}
