// What the lifecycle needs of a model registry: immutable versions, aliases that mirror the endpoint, and who moved them.

import type { Json } from '../../dag/graph.js';

export interface ArtifactRef {
  /** `s3://bucket/prefix/` of a folder of files. */
  readonly uri: string;
  /** SHA-256 over the canonical list of (path, size, SHA-256) of its files. */
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Lineage {
  readonly datasetId: string;
  readonly codeVersion: string;
  readonly settingsDigest: string;
  readonly workflowId: string;
  readonly runId: string;
  /** The champion that it was trained beside. */
  readonly parentVersion?: number;
}

export interface VersionRequest {
  readonly artifact: ArtifactRef;
  readonly lineage: Lineage;
  readonly metrics: Json;
  readonly verdict: Json;
  /** How it is to be served: command, compute, places. */
  readonly serve: Json;
  readonly tags?: Readonly<Record<string, string>>;
  readonly by: string;
}

export interface ModelVersion extends VersionRequest {
  readonly model: string;
  readonly version: number;
  readonly createdAt: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface AliasState {
  readonly alias: string;
  readonly version: number;
  /** The endpoint's generation that it mirrors. */
  readonly generation: number;
}

export interface AliasMove extends Omit<AliasState, 'version'> {
  readonly at: string;
  readonly from: number | null;
  /** `null`: the alias was taken away. */
  readonly to: number | null;
  readonly by: string;
  readonly reason: string;
}

/** Aliases are those of the environment that the registry was composed with. Throws SystemError: `NotFound`, `Unavailable`, … */
export interface Registry {
  /** Idempotent by the artifact's digest and how it is served: the same registered twice is one version, and the first one's record stays. */
  register(model: string, request: VersionRequest): Promise<ModelVersion>;
  /** Throws `NotFound` with the newest known version. */
  version(model: string, version: number): Promise<ModelVersion>;
  /** Newest first. */
  versions(model: string): AsyncIterable<ModelVersion>;
  models(): AsyncIterable<string>;
  tag(model: string, version: number, tags: Readonly<Record<string, string>>): Promise<void>;
  alias(model: string, alias: string): Promise<AliasState | undefined>;
  /**
   * Points an alias at a version, or takes it away (`version: null`); written with its move in one act.
   * A move that carries an older generation than the alias has is dropped and answers `false`; the same one again is a no-op.
   */
  setAlias(
    model: string,
    alias: string,
    move: { version: number | null; generation: number; by: string; reason: string },
  ): Promise<boolean>;
  /** Every move, oldest first. */
  history(model: string): AsyncIterable<AliasMove>;
}
