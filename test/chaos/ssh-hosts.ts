// Two training hosts with an sshd each, as one compute system `gpu`, for the tests in which a host goes away.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePython } from '../../deploy/embedded/python.js';
import type { DeploymentSettings } from '../../workers/settings.js';
import { startSshd, type Sshd } from '../fixtures/sshd.js';

export interface SshHosts {
  /** By the digit in the host's name. */
  readonly hosts: readonly Sshd[];
  /** The deployment's compute systems, with the hosts' folders in this one. */
  readonly compute: (folder: string) => Promise<DeploymentSettings['compute']>;
  /** Those that were stopped answer again, so that a worker can end its connections. */
  startAll(): Promise<void>;
  close(): Promise<void>;
}

export async function openSshHosts(): Promise<SshHosts> {
  const hosts = await Promise.all([startSshd(), startSshd()]);
  return {
    hosts,
    compute: async (folder) => {
      const { python } = await ensurePython();
      const keyFiles = hosts.map((_, index) => join(folder, `key-${index}`));
      await Promise.all(hosts.map(({ access }, index) => writeFile(keyFiles[index] ?? '', access.privateKey ?? '')));
      return {
        gpu: {
          kind: 'ssh',
          credentials: 'worker',
          hosts: hosts.map(({ access }, index) => ({
            name: `gpu-${index}`,
            address: access.host,
            port: access.port ?? 22,
            user: access.user,
            privateKeyFile: keyFiles[index] ?? '',
            hostKeys: [...access.hostKeys],
            root: join(folder, `gpu-${index}`),
            places: { gpus: 1, memoryBytes: 2 ** 30 },
            python,
          })),
        },
        local: { kind: 'local', credentials: 'worker' },
      };
    },
    async startAll() {
      await Promise.all(hosts.map((host) => host.start().catch(() => undefined)));
    },
    async close() {
      await Promise.all(hosts.map((host) => host.close()));
    },
  };
}
