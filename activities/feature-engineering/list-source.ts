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
  for (const uri of [settings.source].flat()) {
    const { bucket, key: prefix } = parseS3Uri(uri);
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
      files.push({ bucket, key, path: key.slice(prefix.lastIndexOf('/') + 1), etag, sizeBytes, format });
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
