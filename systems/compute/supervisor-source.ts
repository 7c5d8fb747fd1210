// The program that Pawl places on hosts, and the digest by which a host knows that it has it.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const supervisorPath = fileURLToPath(new URL('supervisor.py', import.meta.url));

export interface SupervisorSource {
  readonly text: string;
  /** SHA-256 in hex. */
  readonly digest: string;
}

let source: SupervisorSource | undefined;

export function supervisorSource(): SupervisorSource {
  if (source === undefined) {
    const text = readFileSync(supervisorPath, 'utf8');
    source = { text, digest: createHash('sha256').update(text).digest('hex') };
  }
  return source;
}
