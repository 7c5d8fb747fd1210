// The demo's raw data: the READMEs and docs of the packages under node_modules, cut at their headings. The lockfile pins the
// packages, so every checkout of one commit finds the same documents.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packageFile } from '../../deploy/embedded/package-file.js';

export interface Section {
  /** `commander`, `duckdb-node-api`: fit for the name of a folder. */
  readonly package: string;
  /** Counts from 1 within the package. */
  readonly number: number;
  readonly text: string;
}

export interface DocumentOptions {
  /** How many packages: those with the most words. */
  readonly packages: number;
  /** Of each package, so that none outweighs the others. */
  readonly maxWords: number;
}

const lockFile = z.object({ packages: z.record(z.string(), z.object({ optional: z.boolean().default(false) })) });

/** In the order of the packages' names. */
export async function readSections({ packages, maxWords }: DocumentOptions): Promise<readonly Section[]> {
  const lock = lockFile.parse(JSON.parse(await readFile(packageFile('package-lock.json'), 'utf8')));
  // Optional packages are not on every machine, and a package within a package is the same text once more.
  const names = Object.entries(lock.packages).flatMap(([path, { optional }]) => {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    return name === undefined || optional ? [] : [name];
  });
  const found = await Promise.all(
    names.map(async (name) => {
      const text = await readDocuments(name);
      return { name, text, words: wordsOf(text).length };
    }),
  );
  return found
    .sort((left, right) => right.words - left.words || byName(left, right))
    .slice(0, packages)
    .sort(byName)
    .flatMap(({ name, text }) =>
      take(cutAtHeadings(text), maxWords).map((section, index) => ({
        package: name.replace('@', '').replace('/', '-'),
        number: index + 1,
        text: section,
      })),
    );
}

const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1);

/** Of a package's README, and of what lies below docs/. */
async function readDocuments(name: string): Promise<string> {
  const folder = packageFile(join('node_modules', name));
  const top = (await readdir(folder).catch(() => [])).sort();
  const paths = top.filter((entry) => entry.toLowerCase() === 'readme.md');
  for (const docs of top.filter((entry) => /^docs?$/i.test(entry))) {
    const entries = await readdir(join(folder, docs), { recursive: true }).catch(() => []);
    paths.push(
      ...entries
        .filter((entry) => entry.endsWith('.md'))
        .map((entry) => join(docs, entry))
        .sort(),
    );
  }
  const texts = await Promise.all(paths.map((path) => readFile(join(folder, path), 'utf8')));
  return texts.map(withoutLinks).join('\n\n');
}

/** Badges, sponsors and lists of links are most of some READMEs, and say nothing. Pure. */
const withoutLinks = (markdown: string): string =>
  markdown
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<\/?[a-z][^>\n]*>/gi, '')
    .replace(/!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])?/g, '')
    .replace(/\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])/g, '$1')
    .replace(/^\s*\[[^\]]+\]:.*$/gm, '')
    .replace(/https?:\/\/\S+/g, '');

/** Shorter sections are put together with the next one, longer ones are cut at a blank line. */
const minWords = 50;
const manyWords = 150;

/** Sections of a text, cut at headings and blank lines outside of code blocks. Pure. */
export function cutAtHeadings(markdown: string): string[] {
  const sections: string[] = [];
  let lines: string[] = [];
  let words = 0;
  let inCode = false;
  const close = (): void => {
    const text = lines.join('\n').trim();
    if (text !== '') sections.push(text);
    lines = [];
    words = 0;
  };
  for (const line of markdown.split('\n')) {
    if (/^\s*(```|~~~)/.test(line)) inCode = !inCode;
    const isHeading = !inCode && /^#{1,4} /.test(line);
    const isBlank = !inCode && line.trim() === '';
    if ((isHeading && words >= minWords) || (isBlank && words >= manyWords)) close();
    lines.push(line);
    words += wordsOf(line).length;
  }
  close();
  return sections;
}

/** As many whole sections, from the first on, as stay within so many words. */
function take(sections: readonly string[], maxWords: number): readonly string[] {
  let words = 0;
  return sections.filter((section) => (words += wordsOf(section).length) <= maxWords);
}

export const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
