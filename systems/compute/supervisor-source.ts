// The program that Pawl places on hosts, and the digest by which a host knows that it has it.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Beside this file in the sources; the built package keeps its Python where the sources have it.
const places = ['supervisor.py', '../../../systems/compute/supervisor.py'].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

export const supervisorPath = places.find((path) => existsSync(path)) ?? places.join(' or ');

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
