// The registry on the object store, on every store; and what a crash between any two of its writes leaves behind.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { aliasesKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { ObjectStoreRegistry } from '../../systems/registry/object-store.js';
import { Died, dyingStore } from '../faults/dying-store.js';
import { collect, registryContract, versionRequest } from './registry.suite.js';
import { storesUnderTest } from './stores-under-test.js';

const environment = 'dev';
const move = (version: number | null, generation: number) => ({ version, generation, by: 'someone', reason: 'a test' });

for (const { name, open } of storesUnderTest) {
  let objects: ObjectStore;
  registryContract({
    name,
    open: async () => {
      objects ??= await open('contract-registry');
      return new ObjectStoreRegistry(objects, { environment });
    },
  });

  describe(`the alias history on ${name}`, () => {
    beforeAll(async () => {
      objects ??= await open('contract-registry');
    });

    it('goes to segments before its object grows, and reads as one', async () => {
      const limited = new ObjectStoreRegistry(objects, { environment, maxAliasMoves: 5, movesPerSegment: 4 });
      const model = `bot-${randomUUID().slice(0, 8)}`;
      for (const seed of ['a', 'b']) await limited.register(model, versionRequest(seed));
      for (let generation = 1; generation <= 23; generation += 1)
        await limited.setAlias(model, 'champion', move((generation % 2) + 1, generation));
      const history = await collect(limited.history(model));
      expect(history.map(({ generation }) => generation)).toEqual(Array.from({ length: 23 }, (_, n) => n + 1));
      const head = await objects.head(aliasesKey(model, environment));
      expect(head?.sizeBytes).toBeLessThan(2_500);
    });

    it('keeps environments apart', async () => {
      const model = `bot-${randomUUID().slice(0, 8)}`;
      const dev = new ObjectStoreRegistry(objects, { environment });
      const prod = new ObjectStoreRegistry(objects, { environment: 'prod' });
      await dev.register(model, versionRequest('a'));
      await dev.setAlias(model, 'champion', move(1, 1));
      expect(await prod.alias(model, 'champion')).toBeUndefined();
      expect(await collect(prod.history(model))).toEqual([]);
      expect((await prod.version(model, 1)).version).toBe(1);
    });
  });
}

// Every write of the act is the last one of its process once, made and not made; then another process does the act again.
describe('a process that dies while it registers or moves an alias', () => {
  const deaths = [1, 2, 3, 4].flatMap((diesAtWrite) => [true, false].map((made) => ({ diesAtWrite, made })));

  it.each(deaths)('leaves one version for one artifact ($diesAtWrite, made: $made)', async (death) => {
    const objects = new MemoryObjectStore();
    const sound = new ObjectStoreRegistry(objects, { environment });
    await sound.register('bot', versionRequest('before'));
    const dying = dyingStore(objects, death);
    const dead = new ObjectStoreRegistry(dying, { environment });
    const act = dead.register('bot', versionRequest('x'));
    if (death.diesAtWrite <= 2) await expect(act).rejects.toThrow(Died);
    else await act;
    // Someone else registers first, and takes the number that the dead one may have claimed.
    expect((await sound.register('bot', versionRequest('other'))).artifact).toEqual(versionRequest('other').artifact);
    const again = await sound.register('bot', versionRequest('x'));
    expect((await sound.register('bot', versionRequest('x'))).version).toBe(again.version);
    const versions = await collect(sound.versions('bot'));
    expect(versions.map(({ version }) => version)).toEqual([3, 2, 1]);
    expect(new Set(versions.map(({ artifact }) => artifact.digest)).size).toBe(3);
  });

  it.each(deaths)('leaves every move of an alias once ($diesAtWrite, made: $made)', async (death) => {
    const objects = new MemoryObjectStore();
    const options = { environment, maxAliasMoves: 5, movesPerSegment: 4 };
    const sound = new ObjectStoreRegistry(objects, options);
    for (const seed of ['a', 'b']) await sound.register('bot', versionRequest(seed));
    for (let generation = 1; generation <= 5; generation += 1)
      await sound.setAlias('bot', 'champion', move((generation % 2) + 1, generation));
    // The sixth move spills: a segment, then the object.
    const dying = dyingStore(objects, death);
    const act = new ObjectStoreRegistry(dying, options).setAlias('bot', 'champion', move(1, 6));
    if (death.diesAtWrite <= 2) await expect(act).rejects.toThrow(Died);
    else await act;
    await sound.setAlias('bot', 'champion', move(1, 6));
    await sound.setAlias('bot', 'champion', move(2, 7));
    const history = await collect(sound.history('bot'));
    expect(history.map(({ generation }) => generation)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    history.forEach((each, index) => expect(each.from).toBe(history[index - 1]?.to ?? null));
  });
});
