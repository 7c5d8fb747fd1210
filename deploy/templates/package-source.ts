// Where the running Pawl came from, so that a new project can depend on the same: it need not be on a registry.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { packageFile } from '../embedded/package-file.js';
import { shellWord } from '../local/shell-word.js';

export type PackageSource =
  | { readonly kind: 'registry'; readonly version: string }
  /** `missing`: it lies there no more. */
  | { readonly kind: 'tarball'; readonly path: string; readonly missing: boolean }
  /** A folder of sources; `tarball`: what `npm pack` makes of it. */
  | { readonly kind: 'clone'; readonly folder: string; readonly tarball: string; readonly missing: boolean };

const lockFile = z.object({ packages: z.record(z.string(), z.object({ resolved: z.string().optional() })) });

/** `root`: the folder of Pawl's package.json. */
export function packageSource(root = packageFile('.')): PackageSource {
  const folder = realpathSync(root);
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  const modules = dirname(folder);
  if (basename(modules) !== 'node_modules') {
    const tarball = join(folder, `pawl-${version}.tgz`);
    return { kind: 'clone', folder, tarball, missing: !existsSync(tarball) };
  }
  const resolved = resolvedBy(join(modules, '.package-lock.json'), `node_modules/${basename(folder)}`);
  if (resolved?.startsWith('file:') !== true) return { kind: 'registry', version };
  const path = resolve(dirname(modules), resolved.slice('file:'.length));
  return { kind: 'tarball', path, missing: !existsSync(path) };
}

/** What npm noted of where it took a package from; other package managers keep no such note. */
function resolvedBy(path: string, name: string): string | undefined {
  try {
    return lockFile.parse(JSON.parse(readFileSync(path, 'utf8'))).packages[name]?.resolved;
  } catch {
    return undefined;
  }
}

/** What a package.json in `folder` says of it. */
export function dependencyOn(source: PackageSource, folder: string): string {
  if (source.kind === 'registry') return `^${source.version}`;
  const path = source.kind === 'clone' ? source.tarball : source.path;
  return `file:${relative(folder, path).split(sep).join('/')}`;
}

/** What is typed in `folder` before Pawl can be used there. */
export function installLines(source: PackageSource): string[] {
  if (source.kind === 'clone' && source.missing)
    return [`(cd ${shellWord(source.folder)} && npm ci && npm pack)`, 'npm install'];
  if (source.kind === 'tarball' && source.missing)
    return [`npm install FOLDER/${basename(source.path)}   # it is gone from ${dirname(source.path)}`];
  return ['npm install'];
}
