// The registry on the object store; over a `MemoryObjectStore` it is the memory one too.
//
// Registration: the digest of what a version is claims a number, then the version is written under it, and only where nothing is.
// A claim moves on only once something else stands under its number for good. So one digest never has two versions, numbers
// have no gaps, and whoever comes after a crash between the two writes finishes the work.

import { digestOf } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import { createJson, readJson, writeJson } from '../object-store/json-object.js';
import { modelsPrefix, versionByDigestKey, versionKey, versionsPrefix, versionTagsKey } from '../object-store/keys.js';
import type { ObjectStore } from '../object-store/port.js';
import { Aliases } from './aliases.js';
import { changeJson } from './change-json.js';
import type { AliasMove, AliasState, ModelVersion, Registry, VersionRequest } from './port.js';
import { digestClaim, tagsRecord, versionRecord } from './records.js';
import type { DigestClaim, VersionRecord } from './records.js';

export interface ObjectStoreRegistryOptions {
  /** Whose aliases they are. */
  readonly environment: string;
  readonly maxAliasMoves?: number;
  readonly movesPerSegment?: number;
}

function toModelVersion(record: VersionRecord, tags: Readonly<Record<string, string>>): ModelVersion {
  const { schema: _schema, ...version } = record;
  return { ...version, tags: { ...record.tags, ...tags } };
}

/** A version is an artifact and how it is served: with another command it may behave otherwise, and is tried anew. */
const identityOf = ({ artifact, serve }: Pick<VersionRequest, 'artifact' | 'serve'>): string =>
  digestOf({ artifact: artifact.digest, serve });

/** A `Registry` of one environment. */
export class ObjectStoreRegistry implements Registry {
  readonly #objects: ObjectStore;
  readonly #aliases: Aliases;

  constructor(objects: ObjectStore, options: ObjectStoreRegistryOptions) {
    const { environment, maxAliasMoves: maxMoves = 500, movesPerSegment = 400 } = options;
    this.#objects = objects;
    this.#aliases = new Aliases(objects, environment, { maxMoves, movesPerSegment });
  }

  async register(model: string, request: VersionRequest): Promise<ModelVersion> {
    const digest = identityOf(request);
    const key = versionByDigestKey(model, digest);
    let claim = (await readJson(this.#objects, key, digestClaim))?.value;
    claim ??= await createJson<DigestClaim>(this.#objects, key, {
      value: { schema: 1, digest, version: (await this.#newest(model)) + 1 },
      schema: digestClaim,
    });
    for (;;) {
      const { version } = claim;
      const value = toRecord(model, version, request);
      const standing =
        (await this.#readRecord(model, version)) ??
        (await createJson(this.#objects, versionKey(model, version), { value, schema: versionRecord }));
      if (identityOf(standing) === digest) return await this.#withTags(standing);
      claim = await this.#moveClaim(model, claim);
    }
  }

  async version(model: string, version: number): Promise<ModelVersion> {
    const record = await this.#readRecord(model, version);
    if (record !== undefined) return await this.#withTags(record);
    const newest = await this.#newest(model);
    const known = newest === 0 ? 'it has no version yet' : `its newest is ${newest}`;
    throw new SystemError('NotFound', `The model ${model} has no version ${version}: ${known}.`, {
      details: { newest },
    });
  }

  async *versions(model: string): AsyncGenerator<ModelVersion> {
    for (let version = await this.#newest(model); version > 0; version -= 1) {
      const record = await this.#readRecord(model, version);
      if (record !== undefined) yield await this.#withTags(record);
    }
  }

  /** Those that have a version. */
  async *models(): AsyncGenerator<string> {
    for await (const child of this.#objects.listChildren(modelsPrefix())) {
      const model = child.replace(/\/$/, '');
      if (child !== model && (await this.#objects.head(versionKey(model, 1))) !== undefined) yield model;
    }
  }

  async tag(model: string, version: number, tags: Readonly<Record<string, string>>): Promise<void> {
    await this.version(model, version);
    await changeJson(this.#objects, versionTagsKey(model, version), {
      schema: tagsRecord,
      change: (standing) => {
        const before = standing?.tags ?? {};
        const isDone = Object.entries(tags).every(([name, value]) => before[name] === value);
        return isDone ? undefined : { schema: 1 as const, tags: { ...before, ...tags } };
      },
    });
  }

  async alias(model: string, alias: string): Promise<AliasState | undefined> {
    return await this.#aliases.get(model, alias);
  }

  async setAlias(
    model: string,
    alias: string,
    move: { version: number | null; generation: number; by: string; reason: string },
  ): Promise<boolean> {
    if (move.version !== null) await this.version(model, move.version);
    return await this.#aliases.set(model, { alias, ...move });
  }

  history(model: string): AsyncGenerator<AliasMove> {
    return this.#aliases.history(model);
  }

  /** Something else holds the claimed number for good: on to the next free one. */
  async #moveClaim(model: string, taken: DigestClaim): Promise<DigestClaim> {
    const key = versionByDigestKey(model, taken.digest);
    const next = (await this.#newest(model)) + 1;
    const standing = await readJson(this.#objects, key, digestClaim);
    if (standing === undefined)
      throw new SystemError('Corrupt', `s3://${this.#objects.bucketName}/${key} is gone: try again.`, {
        retryable: true,
      });
    if (standing.value.version !== taken.version) return standing.value;
    const value = { ...taken, version: next };
    try {
      await writeJson(this.#objects, key, { value, over: standing.etag });
      return value;
    } catch (error) {
      if (!(error instanceof SystemError) || error.type !== 'Conflict') throw error;
      return (await readJson(this.#objects, key, digestClaim))?.value ?? taken;
    }
  }

  async #newest(model: string): Promise<number> {
    let newest = 0;
    for await (const { key } of this.#objects.list(versionsPrefix(model)))
      newest = Math.max(newest, Number(/(\d+)\.json$/.exec(key)?.[1] ?? 0));
    return newest;
  }

  async #readRecord(model: string, version: number): Promise<VersionRecord | undefined> {
    return (await readJson(this.#objects, versionKey(model, version), versionRecord))?.value;
  }

  async #withTags(record: VersionRecord): Promise<ModelVersion> {
    const found = await readJson(this.#objects, versionTagsKey(record.model, record.version), tagsRecord);
    return toModelVersion(record, found?.value.tags ?? {});
  }
}

function toRecord(model: string, version: number, request: VersionRequest): VersionRecord {
  const { artifact, lineage, metrics, verdict, serve, tags = {}, by } = request;
  const createdAt = new Date().toISOString();
  const checked = versionRecord.safeParse({
    schema: 1,
    model,
    version,
    artifact,
    lineage,
    metrics,
    verdict,
    serve,
    tags,
    by,
    createdAt,
  });
  if (checked.success) return checked.data;
  const problem = checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new SystemError('InvalidInput', `The version of ${model} cannot be registered: ${problem}.`);
}
