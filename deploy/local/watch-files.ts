// Tells when a file of a project has changed: its own sources, and not what tools or runs write beside them.

import { basename, relative, sep } from 'node:path';
import { watch } from 'chokidar';

const ignoredFolders = new Set(['node_modules', 'dist', 'build', 'coverage', '__pycache__']);
const watched = /\.(ts|mts|js|mjs|json|py|sh)$/;
/** An editor's "save all" is one change. */
const settleMs = 150;

/** Resolves once changes are noticed; answers what ends it. */
export async function watchFiles(
  root: string,
  onChange: (files: readonly string[]) => void,
): Promise<() => Promise<void>> {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(root, {
    ignoreInitial: true,
    ignored: (path, stats) => {
      if (path === root) return false;
      const name = basename(path);
      if (name.startsWith('.') || ignoredFolders.has(name)) return true;
      return stats?.isFile() === true && !watched.test(name);
    },
  });
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir') return;
    changed.add(relative(root, path).split(sep).join('/'));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed].sort();
      changed.clear();
      onChange(files);
    }, settleMs);
  });
  await new Promise<void>((resolve, reject) => {
    watcher.once('ready', resolve);
    watcher.once('error', reject);
  });
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
}
