import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalCompute } from '../../systems/compute/local.js';
import { restartHost } from '../fixtures/supervised-host.js';
import { computeContract } from './compute.suite.js';

computeContract({
  name: 'local',
  alwaysThere: 'the worker runs on it',
  async open() {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-compute-'));
    const bootIdFile = join(folder, 'boot-id');
    const root = join(folder, 'root');
    await writeFile(bootIdFile, 'first boot\n');
    const open = () =>
      new LocalCompute({
        name: 'local',
        root,
        places: { gpus: 2, memoryBytes: 4 * 2 ** 30 },
        bootIdFile,
        python: process.env['PAWL_PYTHON'] ?? 'python3',
      });
    return {
      compute: open(),
      root,
      reopen: open,
      restartHost: () => restartHost(root, bootIdFile),
      loseHost: async () => {},
      findHost: async () => {},
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
});
