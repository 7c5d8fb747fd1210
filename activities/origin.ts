// Of which data and settings a version is. Training again under other settings may give the very same artifact, which is the
// same version: its record stays as it is, and its tags say what it came of last, so that the next run finds nothing changed.

import type { ModelVersion } from '../systems/registry/port.js';

export interface Origin {
  readonly datasetId: string;
  readonly settingsDigest: string;
}

const tags = { datasetId: 'pawl.dataset', settingsDigest: 'pawl.settings' } as const;

/** Pure. */
export const latestOrigin = ({ lineage, tags: given }: Pick<ModelVersion, 'lineage' | 'tags'>): Origin => ({
  datasetId: given[tags.datasetId] ?? lineage.datasetId,
  settingsDigest: given[tags.settingsDigest] ?? lineage.settingsDigest,
});

/** What is to be noted of a version that came of this, too; undefined where it is known. Pure. */
export function originTags(
  version: Pick<ModelVersion, 'lineage' | 'tags'>,
  { datasetId, settingsDigest }: Origin,
): Record<string, string> | undefined {
  const known = latestOrigin(version);
  if (known.datasetId === datasetId && known.settingsDigest === settingsDigest) return undefined;
  return { [tags.datasetId]: datasetId, [tags.settingsDigest]: settingsDigest };
}
