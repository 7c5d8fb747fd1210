// What every registry must do.

import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { wasLive } from '../../systems/registry/aliases.js';
import type { AliasMove, ModelVersion, Registry, VersionRequest } from '../../systems/registry/port.js';

export const versionRequest = (seed: string): VersionRequest => {
  const digest = createHash('sha256').update(seed).digest('hex');
  return {
    artifact: { uri: `s3://pawl/models/bot/artifacts/${digest}/`, digest, sizeBytes: 42 },
    lineage: {
      datasetId: 'd1',
      codeVersion: 'c1',
      settingsDigest: 's1',
      workflowId: 'w1',
      runId: 'r1',
      parentVersion: 3,
    },
    metrics: { exactMatch: { value: 0.9, samples: 500 } },
    verdict: { passed: true },
    serve: { command: ['serve', '{model}'] },
    tags: { team: 'search' },
    by: 'someone',
  };
};

export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

export interface RegistryUnderTest {
  readonly name: string;
  /** A registry of the environment `dev`; every call is another client of the same registry. */
  readonly open: () => Promise<Registry>;
}

export function registryContract({ name, open }: RegistryUnderTest): void {
  describe(`${name} as a registry`, { timeout: 120_000 }, () => {
    let registry: Registry;
    const fresh = (): string => `bot-${randomUUID().slice(0, 8)}`;
    const numbers = async (model: string): Promise<number[]> =>
      (await collect(registry.versions(model))).map(({ version }) => version);
    const move = (version: number | null, generation: number) => ({
      version,
      generation,
      by: 'someone',
      reason: 'a test',
    });

    beforeAll(async () => {
      registry = await open();
    });

    it('registers versions in order, with all that was said of them', async () => {
      const model = fresh();
      const first = await registry.register(model, versionRequest('a'));
      expect(first).toMatchObject({ ...versionRequest('a'), model, version: 1 });
      expect(Math.abs(Date.parse(first.createdAt) - Date.now())).toBeLessThan(60_000);
      expect((await registry.register(model, versionRequest('b'))).version).toBe(2);
      expect(await registry.version(model, 1)).toEqual(first);
      expect(await numbers(model)).toEqual([2, 1]);
      expect(await collect(registry.models())).toContain(model);
    });

    it('takes the same artifact again for the same version, and keeps the first record', async () => {
      const model = fresh();
      const first = await registry.register(model, versionRequest('a'));
      const again = await registry.register(model, { ...versionRequest('a'), by: 'someone else', metrics: {} });
      expect(again).toEqual(first);
      expect(await numbers(model)).toEqual([1]);
    });

    it('makes another version of an artifact that is served otherwise', async () => {
      const model = fresh();
      await registry.register(model, versionRequest('a'));
      const other = await registry.register(model, { ...versionRequest('a'), serve: { command: ['serve', '--fast'] } });
      expect(other).toMatchObject({ version: 2, serve: { command: ['serve', '--fast'] } });
      expect((await registry.register(model, versionRequest('a'))).version).toBe(1);
    });

    it('gives 32 writers who race with 8 artifacts 8 versions, without gaps', async () => {
      const model = fresh();
      const clients = await Promise.all(Array.from({ length: 32 }, open));
      const registered = await Promise.all(
        clients.map((client, n) => client.register(model, versionRequest(`${n % 8}`))),
      );
      const byDigest = new Map<string, Set<number>>();
      for (const { artifact, version } of registered)
        byDigest.set(artifact.digest, (byDigest.get(artifact.digest) ?? new Set()).add(version));
      expect([...byDigest.values()].every((versions) => versions.size === 1)).toBe(true);
      expect(await numbers(model)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
      const digests = (await collect(registry.versions(model))).map(({ artifact }) => artifact.digest);
      expect(new Set(digests).size).toBe(8);
    });

    it('answers NotFound with the newest known version', async () => {
      const model = fresh();
      await expect(registry.version(model, 1)).rejects.toMatchObject({ type: 'NotFound' });
      await registry.register(model, versionRequest('a'));
      await expect(registry.version(model, 9)).rejects.toMatchObject({
        type: 'NotFound',
        message: expect.stringContaining('newest is 1') as string,
      });
    });

    it('adds tags, and loses none of 32 that are set at once', async () => {
      const model = fresh();
      await registry.register(model, versionRequest('a'));
      await Promise.all(Array.from({ length: 32 }, (_, n) => registry.tag(model, 1, { [`t${n}`]: `${n}` })));
      await registry.tag(model, 1, { team: 'chat', t0: 'zero' });
      const tags: ModelVersion['tags'] = (await registry.version(model, 1)).tags;
      expect(Object.keys(tags)).toHaveLength(33);
      expect(tags).toMatchObject({ team: 'chat', t0: 'zero', t31: '31' });
      await expect(registry.tag(model, 2, { a: 'b' })).rejects.toMatchObject({ type: 'NotFound' });
    });

    it('points aliases at versions and takes them away, with a history of who and why', async () => {
      const model = fresh();
      for (const seed of ['a', 'b']) await registry.register(model, versionRequest(seed));
      expect(await registry.alias(model, 'champion')).toBeUndefined();
      expect(await registry.setAlias(model, 'champion', move(1, 1))).toBe(true);
      expect(await registry.setAlias(model, 'challenger', move(2, 2))).toBe(true);
      expect(await registry.setAlias(model, 'challenger', move(null, 3))).toBe(true);
      expect(await registry.setAlias(model, 'champion', move(2, 3))).toBe(true);
      expect(await registry.alias(model, 'champion')).toEqual({ alias: 'champion', version: 2, generation: 3 });
      expect(await registry.alias(model, 'challenger')).toBeUndefined();
      const history: AliasMove[] = await collect(registry.history(model));
      expect(history.map(({ alias, from, to, generation }) => [alias, from, to, generation])).toEqual([
        ['champion', null, 1, 1],
        ['challenger', null, 2, 2],
        ['challenger', 2, null, 3],
        ['champion', 1, 2, 3],
      ]);
      expect(history[0]).toMatchObject({ by: 'someone', reason: 'a test' });
      expect(wasLive(history, new Date())).toBe(2);
      expect(wasLive(history, new Date(0))).toBeNull();
    });

    it('drops a move with an older generation, and takes the same move again for done', async () => {
      const model = fresh();
      for (const seed of ['a', 'b', 'c']) await registry.register(model, versionRequest(seed));
      expect(await registry.setAlias(model, 'champion', move(2, 5))).toBe(true);
      expect(await registry.setAlias(model, 'champion', move(1, 4))).toBe(false);
      expect(await registry.setAlias(model, 'champion', move(2, 5))).toBe(true);
      expect(await registry.setAlias(model, 'champion', move(null, 6))).toBe(true);
      expect(await registry.setAlias(model, 'champion', move(3, 5))).toBe(false);
      expect(await registry.alias(model, 'champion')).toBeUndefined();
      expect(await collect(registry.history(model))).toHaveLength(2);
    });

    it('refuses an alias on a version that does not exist', async () => {
      const model = fresh();
      await expect(registry.setAlias(model, 'champion', move(1, 1))).rejects.toMatchObject({ type: 'NotFound' });
    });

    it('lets 32 racing writers of an alias lose nothing: the highest generation stands, and moves form a chain', async () => {
      const model = fresh();
      for (let n = 1; n <= 4; n += 1) await registry.register(model, versionRequest(`${n}`));
      const clients = await Promise.all(Array.from({ length: 32 }, open));
      const results = await Promise.all(
        clients.map((client, n) => client.setAlias(model, 'champion', move((n % 4) + 1, n + 1))),
      );
      expect(results[31]).toBe(true);
      expect(await registry.alias(model, 'champion')).toEqual({ alias: 'champion', version: 4, generation: 32 });
      const history = await collect(registry.history(model));
      history.forEach((each, index) => expect(each.from).toBe(history[index - 1]?.to ?? null));
      history.forEach((each, index) => expect(each.generation).toBeGreaterThan(history[index - 1]?.generation ?? 0));
      expect(history.length).toBeLessThanOrEqual(results.filter(Boolean).length);
    });
  });
}
