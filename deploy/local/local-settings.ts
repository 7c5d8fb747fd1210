// Which ports and keys this start of `pawl dev` uses: those that were asked for, else those of the last start, else new ones.

import { randomBytes } from 'node:crypto';
import { freePort, isPortFree, choosePort } from '../embedded/ports.js';
import type { DevFile, LocalPorts } from './dev-file.js';

const titles: Readonly<Record<keyof LocalPorts, string>> = {
  temporal: 'Temporal',
  temporalUi: "Temporal's Web UI",
  s3: 'S3',
  gateway: 'the gateway',
  gatewayAdmin: "the gateway's admin API",
};

export interface ChosenPorts {
  readonly ports: LocalPorts;
  /** One sentence for each port of the last start that somebody else has now. */
  readonly moved: readonly string[];
}

/** Throws `Unavailable` where a port that was asked for is taken. */
export async function choosePorts(wanted: Partial<LocalPorts>, remembered: DevFile['ports']): Promise<ChosenPorts> {
  const ports: Partial<LocalPorts> = {};
  const moved: string[] = [];
  const names = Object.keys(titles) as (keyof LocalPorts)[];
  const isOurs = (port: number): boolean => Object.values(ports).includes(port);
  for (const name of names) if (wanted[name] !== undefined) ports[name] = await choosePort(wanted[name], titles[name]);
  for (const name of names) {
    if (ports[name] !== undefined) continue;
    const last = remembered[name];
    if (last !== undefined && !isOurs(last) && (await isPortFree(last))) {
      ports[name] = last;
      continue;
    }
    let port = await freePort();
    while (isOurs(port)) port = await freePort();
    ports[name] = port;
    if (last !== undefined) moved.push(`port ${last} of ${titles[name]} is taken now: it has port ${port}`);
  }
  return { ports: ports as LocalPorts, moved };
}

/** Kept from start to start: the S3 server's folder and open jobs go on with them. */
export const keysOf = (before: DevFile | undefined): DevFile['keys'] =>
  before?.keys ?? {
    accessKeyId: `pawl${randomBytes(8).toString('hex')}`,
    secretAccessKey: randomBytes(24).toString('base64url'),
    routerToken: randomBytes(24).toString('base64url'),
  };
