// Which Pawl a new project depends on: the one that wrote it.

import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dependencyOn, installLines, packageSource } from '../../deploy/templates/package-source.js';
import { writeProject } from '../../deploy/templates/write-project.js';

let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'pawl-source-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A Pawl below node_modules, as npm leaves it. */
async function installed(resolved: string | undefined): Promise<string> {
  const modules = join(folder, 'cache/node_modules');
  await mkdir(join(modules, 'pawl'), { recursive: true });
  await writeFile(join(modules, 'pawl/package.json'), '{"version":"1.2.3"}');
  const packages = { 'node_modules/pawl': { version: '1.2.3', ...(resolved !== undefined && { resolved }) } };
  await writeFile(join(modules, '.package-lock.json'), JSON.stringify({ packages }));
  return join(modules, 'pawl');
}

test('one from a packed file is that file, by its path from the new project', async () => {
  await writeFile(join(folder, 'pawl-1.2.3.tgz'), '');
  const source = packageSource(await installed('file:../pawl-1.2.3.tgz'));
  expect(source).toEqual({ kind: 'tarball', path: join(folder, 'pawl-1.2.3.tgz'), missing: false });
  expect(dependencyOn(source, join(folder, 'my-models'))).toBe('file:../pawl-1.2.3.tgz');
  expect(installLines(source)).toEqual(['npm install']);

  const target = join(folder, 'my-models');
  await writeProject(target, source);
  expect(JSON.parse(await readFile(join(target, 'package.json'), 'utf8'))).toMatchObject({
    name: 'my-models',
    dependencies: { pawl: 'file:../pawl-1.2.3.tgz' },
  });
});

test('a packed file that is gone is asked for', async () => {
  const source = packageSource(await installed('file:../pawl-1.2.3.tgz'));
  expect(installLines(source)).toEqual([`npm install FOLDER/pawl-1.2.3.tgz   # it is gone from ${folder}`]);
});

test('one from a registry is its version', async () => {
  const source = packageSource(await installed('https://registry.example/pawl/-/pawl-1.2.3.tgz'));
  expect(dependencyOn(source, folder)).toBe('^1.2.3');
  expect(dependencyOn(packageSource(await installed(undefined)), folder)).toBe('^1.2.3');
});

test('one from a clone is what the clone packs, which has to be packed first', async () => {
  const clone = join(folder, 'pawl');
  await mkdir(clone);
  await cp('package.json', join(clone, 'package.json'));
  const source = packageSource(clone);
  expect(dependencyOn(source, join(folder, 'a/b'))).toMatch(/^file:..\/..\/pawl\/pawl-[\d.]+\.tgz$/);
  expect(installLines(source)).toEqual([`(cd ${clone} && npm ci && npm pack)`, 'npm install']);
  await writeFile(source.kind === 'clone' ? source.tarball : '', '');
  expect(installLines(packageSource(clone))).toEqual(['npm install']);
});
