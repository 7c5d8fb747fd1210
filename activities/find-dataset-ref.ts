// Finds the data set that a stage started by itself is to use.

import { SystemError } from '../dag/failures.js';
import type { ObjectStore } from '../systems/object-store/port.js';
import { datasetRefOf, readManifest } from './feature-engineering/find-dataset.js';
import type { DatasetRef } from './schemas/dataset.js';

/** Throws `NotFound`. */
export async function findDatasetRef(objects: ObjectStore, model: string, id: string): Promise<DatasetRef> {
  const manifest = await readManifest(objects, model, id);
  if (manifest !== undefined) return datasetRefOf(objects, manifest);
  throw new SystemError(
    'NotFound',
    `${model} has no data set ${id}: give the id that feature-engineering answered, all 64 digits of it.`,
  );
}
