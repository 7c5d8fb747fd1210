// The command line of one of Pawl's own programs: plain Node from the package, through tsx from the sources.

import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const fromSource = import.meta.url.endsWith('.ts');

/** `program` without its ending, below the package's folder: `workers/main`. */
export function pawlProgram(program: string, args: readonly string[] = []): { command: string; args: string[] } {
  const file = fileURLToPath(new URL(`../../${program}.${fromSource ? 'ts' : 'js'}`, import.meta.url));
  const loader = fromSource ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [];
  return { command: process.execPath, args: [...loader, file, ...args] };
}
