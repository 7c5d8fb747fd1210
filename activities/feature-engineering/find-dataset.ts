// Finds data sets that exist: by id, the last accepted one, or the one that the same input gave before.

import { z } from 'zod';
import { readJson } from '../../systems/object-store/json-object.js';
import { datasetManifestKey, datasetPrefix, latestDatasetKey, s3Uri } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import type { DatasetRef } from '../schemas/dataset.js';
import { datasetManifest, type DatasetManifest } from '../schemas/dataset-manifest.js';

const latestPointer = z.object({ schema: z.literal(1), id: z.string(), fingerprint: z.string() });

export const readManifest = async (
  objects: ObjectStore,
  model: string,
  id: string,
): Promise<DatasetManifest | undefined> =>
  (await readJson(objects, datasetManifestKey(model, id), datasetManifest))?.value;

export interface AcceptedDataset {
  readonly manifest: DatasetManifest;
  /** Of the input that gave it last; the manifest has that of the first. */
  readonly fingerprint: string;
}

/** The data set that was accepted last. */
export async function lastDataset(
  objects: ObjectStore,
  model: string,
  environment: string,
): Promise<AcceptedDataset | undefined> {
  const pointer = await readJson(objects, latestDatasetKey(model, environment), latestPointer);
  if (pointer === undefined) return undefined;
  const { id, fingerprint } = pointer.value;
  const manifest = await readManifest(objects, model, id);
  return manifest && { manifest, fingerprint };
}

/** Written after the manifest; a run that dies in between is tried again, and writes the same. */
export async function rememberDataset(
  objects: ObjectStore,
  environment: string,
  { manifest, fingerprint }: AcceptedDataset,
): Promise<void> {
  const pointer: z.input<typeof latestPointer> = { schema: 1, id: manifest.id, fingerprint };
  await objects.put(latestDatasetKey(manifest.model, environment), JSON.stringify(pointer), {
    contentType: 'application/json',
  });
}

export const datasetRefOf = (objects: ObjectStore, manifest: DatasetManifest): DatasetRef => ({
  id: manifest.id,
  uri: s3Uri(objects.bucketName, datasetPrefix(manifest.model, manifest.id)),
  rows: manifest.rows,
});
