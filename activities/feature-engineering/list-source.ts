// Which objects a data set is made of, in an order that does not change.

import { SystemError } from '../../dag/failures.js';
import { parseS3Uri } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { dataFormats, type DataFormat, type DataSettings } from '../schemas/data-settings.js';

export interface SourceFile {
  readonly bucket: string;
  readonly key: string;
  /** Below the source's prefix. */
  readonly path: string;
  /** Its path, with what tells its source from the others: files of one name under two prefixes are two documents. */
  readonly document: string;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly format: DataFormat;
}

const endings: Readonly<Record<string, DataFormat>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'json',
  csv: 'csv',
  parquet: 'parquet',
  txt: 'text',
  md: 'markdown',
  markdown: 'markdown',
};

const formatOf = (key: string): DataFormat | undefined => endings[key.split('.').at(-1)?.toLowerCase() ?? ''];

/** Sorted by source, then key. Throws `InvalidInput` for a file of no known format, `NotFound` where there is nothing. */
export async function listSource(objects: ObjectStore, settings: DataSettings): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = [];
  const sources = [settings.source].flat().map((uri) => ({ uri, ...parseS3Uri(uri) }));
  const folders = tellApart(sources.map(({ bucket, key }) => [bucket, ...key.split('/').slice(0, -1)]));
  for (const [index, { uri, bucket, key: prefix }] of sources.entries()) {
    const found = files.length;
    for await (const { key, etag, sizeBytes } of objects.bucket(bucket).list(prefix)) {
      // Hidden files and the markers of folders and of finished jobs hold no data.
      if (key.endsWith('/') || /(^|\/)[._][^/]*$/.test(key)) continue;
      const format = settings.format ?? formatOf(key);
      if (format === undefined) {
        throw new SystemError(
          'InvalidInput',
          `s3://${bucket}/${key} has none of the endings ${Object.keys(endings).join(', ')}: name its format in data.format (${dataFormats.join(', ')}), or move it out of the source.`,
        );
      }
      const path = key.slice(prefix.lastIndexOf('/') + 1);
      files.push({ bucket, key, path, document: `${folders[index] ?? ''}${path}`, etag, sizeBytes, format });
    }
    if (files.length === found) {
      throw new SystemError(
        'NotFound',
        `There is no data under ${uri}: check data.source and the credentials' rights to list it.`,
      );
    }
  }
  return files;
}

/**
 * Of each folder what not all of them share, so that a document is the same one under the next day's prefixes: of `lake/tickets/day-1/`
 * and `lake/chats/day-1/`, `tickets/…/` and `chats/…/`; of a single folder, nothing.
 */
function tellApart(folders: readonly (readonly string[])[]): readonly string[] {
  const [first = []] = folders;
  const shortest = Math.min(...folders.map(({ length }) => length));
  const shared = (place: number): boolean => folders.every((parts) => parts.at(place) === first.at(place));
  let head = 0;
  while (head < shortest && shared(head)) head += 1;
  let tail = 0;
  while (tail < shortest - head && shared(-1 - tail)) tail += 1;
  return folders.map((parts) =>
    [...parts.slice(head, parts.length - tail), ...(tail > 0 ? ['…'] : [])].map((part) => `${part}/`).join(''),
  );
}
