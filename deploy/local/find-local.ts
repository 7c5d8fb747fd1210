// Finds the `pawl dev` of a project folder for the other commands, so that they need no addresses.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readDevFile, type DevFile } from './dev-file.js';
import { lockHolder } from './folder-lock.js';
import { withLocalVariables } from './local-environment.js';

const marks = ['.pawl/dev.json', 'pawl.config.ts', 'pawl.config.js', 'pawl.config.mjs'];

/** The nearest folder, from the given one upwards, in which `pawl dev` ran or that has a `pawl.config`; else the given one. */
export function findProjectRoot(start = '.'): string {
  const first = resolve(start);
  for (let folder = first; ; folder = dirname(folder)) {
    if (marks.some((mark) => existsSync(join(folder, mark)))) return folder;
    if (dirname(folder) === folder) return first;
  }
}

export interface FoundLocal extends NonNullable<DevFile['running']> {
  readonly root: string;
}

/** `undefined` where none runs there. */
export async function findLocal(root: string): Promise<FoundLocal | undefined> {
  const running = (await readDevFile(root))?.running;
  if (running == null || (await lockHolder(root)) !== running.pid) return undefined;
  return { root, ...running };
}

/**
 * The environment of a command that talks to the servers of `pawl dev`. What the environment says itself comes first: where it
 * names another Temporal or another S3, those of `pawl dev` are left alone.
 */
export function adoptLocal(base: NodeJS.ProcessEnv, found: FoundLocal): NodeJS.ProcessEnv {
  const { environment: variables } = found;
  const address = base['TEMPORAL_ADDRESS'] ?? '';
  const endpoint = base['AWS_ENDPOINT_URL_S3'] ?? base['AWS_ENDPOINT_URL'] ?? '';
  const elsewhere =
    (address !== '' && address !== variables['TEMPORAL_ADDRESS']) ||
    (base['TEMPORAL_PROFILE'] ?? '') !== '' ||
    (endpoint !== '' && endpoint !== variables['AWS_ENDPOINT_URL_S3']);
  return elsewhere ? base : withLocalVariables(base, variables);
}
