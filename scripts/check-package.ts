// `npm run check:package`: packs the package, holds it to publint and attw, and tries it as a newcomer would (test/package).

import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'pawl-pack-'));

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } });
  if (status === 0) return;
  process.exitCode = 1;
  throw new Error(`${command} ${args.join(' ')} failed`);
}

try {
  // Builds first, by `prepack`.
  run('npm', ['pack', '--pack-destination', folder]);
  const [name = ''] = await readdir(folder);
  const tarball = join(folder, name);
  run('npx', ['publint', 'run', tarball, '--strict']);
  run('npx', ['attw', tarball, '--profile', 'esm-only']);
  run('npx', ['vitest', 'run', '--project', 'package'], { PAWL_TARBALL: tarball });
} finally {
  await rm(folder, { recursive: true, force: true });
}
