// Puts a checked data set into the object store: its files, each written once, and the manifest last.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { SystemError } from '../../dag/failures.js';
import { createJson } from '../../systems/object-store/json-object.js';
import { datasetManifestKey, datasetPrefix, fileKey } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { datasetSplits } from '../schemas/dataset.js';
import { datasetManifest, type DatasetManifest } from '../schemas/dataset-manifest.js';
import { readManifest } from './find-dataset.js';
import type { SplitFiles } from './split-files.js';

export interface StoreOptions {
  /** Where the split files lie. */
  readonly folder: string;
  readonly rows: SplitFiles['rows'];
  readonly signal: AbortSignal;
  readonly onFile: (path: string) => void;
}

/**
 * The data set's manifest as it stands in the store. A data set that is there already stays as it is: its id covers the rows, but
 * not the date that its files carry. Idempotent, also for two that store the same data set at once.
 */
export async function storeDataset(
  objects: ObjectStore,
  manifest: Omit<DatasetManifest, 'files'>,
  { folder, rows, signal, onFile }: StoreOptions,
): Promise<DatasetManifest> {
  const { model, id } = manifest;
  const standing = await readManifest(objects, model, id);
  if (standing !== undefined) return standing;

  const files: DatasetManifest['files'] = [];
  for (const split of datasetSplits) {
    const path = `${split}.jsonl`;
    const stored = await putOnce(objects, fileKey(datasetPrefix(model, id), path), {
      localFile: join(folder, path),
      signal,
    });
    files.push({ path, ...stored, rows: rows[split] });
    onFile(path);
  }
  return await createJson(objects, datasetManifestKey(model, id), {
    value: { ...manifest, files },
    schema: datasetManifest,
  });
}

interface Stored {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** What a run that died, or one beside this, has put there has the same rows: it stays, and the manifest tells of its bytes. */
async function putOnce(
  objects: ObjectStore,
  key: string,
  { localFile, signal }: { localFile: string; signal: AbortSignal },
): Promise<Stored> {
  try {
    const options = { contentType: 'application/jsonl', ifNoneMatch: '*', signal } as const;
    const { sizeBytes, sha256 } = await objects.put(key, createReadStream(localFile), options);
    return { sizeBytes, sha256 };
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Conflict')) throw error;
    return await measure(objects, key, signal);
  }
}

/** Read whole: the store knows no SHA-256 of what was put as a stream. */
async function measure(objects: ObjectStore, key: string, signal: AbortSignal): Promise<Stored> {
  const { body } = await objects.get(key, { signal });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const bytes of body as AsyncIterable<Buffer>) {
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
