// The program that stands around a model server on its host: it fetches the artifact, checks every digest, and becomes the server.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = 'serve_model.py';
const fileNames = [program, 'staging.py', 's3_failures.py', 'safe_files.py'];
let files: Readonly<Record<string, string>> | undefined;

/** The package's folder `jobs/`, from the sources as from the built package. */
function jobsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`the package.json of Pawl is in no folder above ${import.meta.url}`);
    folder = parent;
  }
  return join(folder, 'jobs');
}

const programFiles = (): Readonly<Record<string, string>> =>
  (files ??= Object.fromEntries(fileNames.map((name) => [name, readFileSync(join(jobsFolder(), name), 'utf8')])));

/** The command and files of the job that serves an artifact with `command`; `{model}` is filled in on the host. */
export function serveJob(
  artifact: { readonly uri: string; readonly digest: string },
  command: readonly string[],
): { readonly command: readonly string[]; readonly files: Readonly<Record<string, string>> } {
  return {
    command: ['{python}', `{dir}/${program}`, artifact.uri, artifact.digest, '--', ...command],
    files: programFiles(),
  };
}
