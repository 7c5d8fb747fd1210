// The demo's data lake: the documents as objects in S3, one for each section, in a folder that names their package.

import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { s3Uri } from '../../systems/object-store/keys.js';
import type { Section } from './documents.js';

const atOnce = 8;

const fileName = (number: number): string => `${String(number).padStart(3, '0')}.md`;

/** `docs/<package>/<number>.md`. */
export const uploadDocuments = (lake: ObjectStore, sections: readonly Section[]): Promise<void> =>
  putAll(
    lake,
    sections.map((section) => [`docs/${section.package}/${fileName(section.number)}`, section.text]),
  );

/** The same sections in folders that say nothing about them: a mistake in somebody's data pipeline. */
export async function uploadShuffled(lake: ObjectStore, sections: readonly Section[]): Promise<void> {
  const folders = shuffled(sections.map((section) => section.package));
  await putAll(
    lake,
    sections.map(({ text }, index) => [`shuffled/${folders[index] ?? ''}/${fileName(index + 1)}`, text]),
  );
}

/** A folder's files; answers `s3://lake/<prefix>`. */
export async function uploadFolder(lake: ObjectStore, folder: string, prefix: string): Promise<string> {
  for (const name of (await readdir(folder)).sort())
    await lake.put(prefix + name, createReadStream(join(folder, name)));
  return s3Uri(lake.bucketName, prefix);
}

async function putAll(lake: ObjectStore, objects: readonly (readonly [key: string, text: string])[]): Promise<void> {
  for (let start = 0; start < objects.length; start += atOnce)
    await Promise.all(objects.slice(start, start + atOnce).map(([key, text]) => lake.put(key, text)));
}

/** The same order each time (Fisher and Yates, with a linear congruential generator). Pure. */
export function shuffled<T>(items: readonly T[]): readonly T[] {
  const all = [...items];
  let state = 20_261;
  for (let last = all.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [all[last], all[other]] = [all[other] as T, all[last] as T];
  }
  return all;
}
