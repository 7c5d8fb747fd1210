// The program that stands around a model server on its host: it fetches the artifact, checks every digest, and becomes the server.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const fileName = 'serve_model.py';
let source: string | undefined;

/** Its text. Built files lie one folder deeper than sources. */
function serveProgram(): string {
  if (source !== undefined) return source;
  for (const up of ['../..', '../../..']) {
    try {
      return (source = readFileSync(fileURLToPath(new URL(`${up}/jobs/${fileName}`, import.meta.url)), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(`jobs/${fileName} is missing from this installation of Pawl: install the package again`);
}

/** The command and files of the job that serves an artifact with `command`; `{model}` is filled in on the host. */
export function serveJob(
  artifact: { readonly uri: string; readonly digest: string },
  command: readonly string[],
): { readonly command: readonly string[]; readonly files: Readonly<Record<string, string>> } {
  return {
    command: ['{python}', `{dir}/${fileName}`, artifact.uri, artifact.digest, '--', ...command],
    files: { [fileName]: serveProgram() },
  };
}
