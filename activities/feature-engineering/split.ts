// Which split a row belongs to: by a hash of its source, so that no source is in two splits, today or after more data came.

import { createHash } from 'node:crypto';
import type { DataSettings } from '../schemas/data-settings.js';
import type { datasetSplits } from '../schemas/dataset.js';

export type Split = (typeof datasetSplits)[number];

export const splitOf = (source: string, { validationPercent, testPercent, seed }: DataSettings['split']): Split => {
  const place = (createHash('sha256').update(`${seed}\n${source}`).digest().readUInt32BE(0) / 2 ** 32) * 100;
  if (place < testPercent) return 'test';
  return place < testPercent + validationPercent ? 'validation' : 'train';
};
