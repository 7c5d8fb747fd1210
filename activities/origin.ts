// Of which data and settings a version is. Training again under other settings may give the very same artifact, which is the
// same version: its record stays as it is, and its tags say what it came of last, so that the next run finds nothing changed.

import { SystemError } from '../dag/failures.js';
import type { Revocation } from '../systems/endpoint/state.js';
import type { ModelVersion, Registry } from '../systems/registry/port.js';

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

/**
 * The revoked versions of which this holds, oldest first. One whose record is lost or damaged came of nobody knows what, and must not
 * keep every later run from training. Throws `Unavailable`.
 */
export async function revokedFrom(
  registry: Registry,
  { model, revoked }: { readonly model: string; readonly revoked: readonly Revocation[] },
  is: (origin: Origin) => boolean,
): Promise<readonly Revocation[]> {
  const origins = await Promise.all(
    revoked.map(({ version }) => registry.version(model, version).then(latestOrigin, ignoreUnreadable)),
  );
  return revoked.filter((_, index) => {
    const origin = origins[index];
    return origin !== undefined && is(origin);
  });
}

const ignoreUnreadable = (error: unknown): undefined => {
  if (!(error instanceof SystemError && (error.type === 'NotFound' || error.type === 'Corrupt'))) throw error;
};
