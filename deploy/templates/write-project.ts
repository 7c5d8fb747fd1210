// Writes the project of `pawl init`: the files below project/, and the programs of the example that trains without Python.

import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SystemError } from '../../dag/failures.js';
import { packageFile } from '../embedded/package-file.js';
import { dependencyOn, packageSource, type PackageSource } from './package-source.js';

const project = 'deploy/templates/project';
const programs = 'examples/own-program';
/** So that neither compilers nor npm take a template for what it will be. */
const ending = /\.txt$/;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The names of the files that were written; they depend on the same Pawl as runs. Throws `Conflict`, and writes nothing, where
 * one of them is there already.
 */
export async function writeProject(folder: string, source: PackageSource = packageSource()): Promise<string[]> {
  const contents = await projectFiles({ name: nameOf(folder), pawl: dependencyOn(source, folder) });
  const names = [...contents.keys()].sort();
  const taken: string[] = [];
  for (const name of names) if (await exists(join(folder, name))) taken.push(name);
  if (taken.length > 0)
    throw new SystemError(
      'Conflict',
      `${folder} has ${taken.slice(0, 3).join(', ')}${taken.length > 3 ? ', …' : ''} already, and nothing is written over: name another folder, as in "pawl init my-models".`,
    );
  for (const name of names) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contents.get(name) ?? '', { flag: 'wx' });
  }
  return names;
}

/** What npm takes for a name. */
const nameOf = (folder: string): string =>
  basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '') || 'models';

async function projectFiles(said: { readonly name: string; readonly pawl: string }): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const root = packageFile(project);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, 'utf8');
    const target = path
      .slice(root.length + 1)
      .replaceAll('\\', '/')
      .replace(ending, '')
      .replace(/(^|\/)dot-/, '$1.');
    files.set(target, text.replaceAll('{{name}}', said.name).replaceAll('{{pawl}}', said.pawl));
  }
  for (const program of await readdir(packageFile(programs)))
    if (program.endsWith('.mjs'))
      files.set(`programs/${program}`, await readFile(join(packageFile(programs), program), 'utf8'));
  return files;
}
