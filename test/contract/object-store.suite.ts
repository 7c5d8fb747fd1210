// What every object store must do, whichever server stands behind it.

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ObjectInfo, ObjectStore } from '../../systems/object-store/port.js';

const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

const collect = async (objects: AsyncIterable<ObjectInfo>): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of objects) keys.push(key);
  return keys;
};

const read = async (store: ObjectStore, key: string): Promise<string> => await text((await store.get(key)).body);

/** Random bytes in chunks of a size that no part is a multiple of. */
const streamOf = (bytes: Buffer, chunkBytes = 50_000): Readable =>
  Readable.from(
    (function* () {
      for (let offset = 0; offset < bytes.length; offset += chunkBytes)
        yield bytes.subarray(offset, offset + chunkBytes);
    })(),
    { objectMode: false },
  );

export interface ObjectStoreUnderTest {
  readonly name: string;
  /** A store on an existing bucket; pages of at most 100 keys where the server has pages. */
  readonly open: () => Promise<ObjectStore>;
}

/** Runs the contract; every test works under a prefix of its own. */
export function objectStoreContract({ name, open }: ObjectStoreUnderTest): void {
  describe(`${name} as an object store`, { timeout: 120_000 }, () => {
    let store: ObjectStore;
    const fresh = (): string => `contract/${randomUUID()}`;

    beforeAll(async () => {
      store = await open();
    });

    it('gives back what was put, with size, digest and ETag', async () => {
      const key = `${fresh()}/a.txt`;
      const put = await store.put(key, 'hello', { contentType: 'text/plain' });
      expect(put).toMatchObject({ sizeBytes: 5, sha256: sha256('hello') });
      const got = await store.get(key);
      expect(await text(got.body)).toBe('hello');
      expect(got).toMatchObject({ key, sizeBytes: 5, etag: put.etag, sha256: sha256('hello') });
      expect(await store.head(key)).toMatchObject({ key, sizeBytes: 5, etag: put.etag, sha256: sha256('hello') });
      expect(Math.abs(got.modifiedAt.getTime() - Date.now())).toBeLessThan(10 * 60_000);
    });

    it('keeps an empty object, from bytes and from a stream', async () => {
      const prefix = fresh();
      await store.put(`${prefix}/bytes`, new Uint8Array(0));
      await store.put(`${prefix}/stream`, Readable.from([]));
      expect(await read(store, `${prefix}/bytes`)).toBe('');
      expect(await read(store, `${prefix}/stream`)).toBe('');
      expect(await store.head(`${prefix}/stream`)).toMatchObject({ sizeBytes: 0, sha256: sha256('') });
    });

    it('overwrites without a condition, and the ETag changes with the content', async () => {
      const key = `${fresh()}/a`;
      const first = await store.put(key, 'one');
      const second = await store.put(key, 'two');
      expect(second.etag).not.toBe(first.etag);
      expect(await read(store, key)).toBe('two');
    });

    it('answers NotFound for an object that is not there, and names its key', async () => {
      const key = `${fresh()}/missing`;
      await expect(store.get(key)).rejects.toMatchObject({
        type: 'NotFound',
        message: expect.stringContaining(key) as string,
        details: { missing: 'key' },
      });
      expect(await store.head(key)).toBeUndefined();
      await expect(store.delete(key)).resolves.toBeUndefined();
    });

    it('answers NotFound for a bucket that is not there, and says that it is the bucket', async () => {
      const missing = store.bucket('no-such-bucket-anywhere');
      const isBucket = { type: 'NotFound', details: { missing: 'bucket' } };
      await expect(missing.get('a')).rejects.toMatchObject(isBucket);
      await expect(missing.put('a', 'x')).rejects.toMatchObject(isBucket);
      await expect(missing.put('a', 'x', { ifMatch: '"0"' })).rejects.toMatchObject(isBucket);
      await expect(collect(missing.list(''))).rejects.toMatchObject(isBucket);
    });

    it('deletes, and deleting again is no error', async () => {
      const key = `${fresh()}/a`;
      await store.put(key, 'x');
      await store.delete(key);
      await store.delete(key);
      expect(await store.head(key)).toBeUndefined();
    });

    it('writes with If-None-Match only where there is nothing', async () => {
      const key = `${fresh()}/a`;
      await store.put(key, 'one', { ifNoneMatch: '*' });
      await expect(store.put(key, 'two', { ifNoneMatch: '*' })).rejects.toMatchObject({ type: 'Conflict' });
      expect(await read(store, key)).toBe('one');
    });

    it('writes with If-Match only over exactly that content', async () => {
      const key = `${fresh()}/a`;
      const first = await store.put(key, 'one');
      const second = await store.put(key, 'two', { ifMatch: first.etag });
      await expect(store.put(key, 'three', { ifMatch: first.etag })).rejects.toMatchObject({ type: 'Conflict' });
      expect(await read(store, key)).toBe('two');
      await store.put(key, 'four', { ifMatch: second.etag });
      expect(await read(store, key)).toBe('four');
    });

    it('answers Conflict where If-Match meets nothing at all', async () => {
      const key = `${fresh()}/a`;
      await expect(store.put(key, 'x', { ifMatch: '"0123456789abcdef0123456789abcdef"' })).rejects.toMatchObject({
        type: 'Conflict',
      });
      expect(await store.head(key)).toBeUndefined();
    });

    it('lets one of 32 racing first writers win', async () => {
      const key = `${fresh()}/race`;
      const writers = Array.from({ length: 32 }, (_, n) => store.put(key, `writer ${n}`, { ifNoneMatch: '*' }));
      const results = await Promise.allSettled(writers);
      const winners = results.flatMap((result, n) => (result.status === 'fulfilled' ? [n] : []));
      expect(winners).toHaveLength(1);
      const conflicts = results.filter((result) => result.status === 'rejected' && result.reason.type === 'Conflict');
      expect(conflicts).toHaveLength(31);
      expect(await read(store, key)).toBe(`writer ${winners[0]}`);
    });

    it('lets one of 32 racing successors win, and none of them is lost over several rounds', async () => {
      const key = `${fresh()}/race`;
      let { etag } = await store.put(key, 'round 0');
      for (let round = 1; round <= 3; round += 1) {
        const writers = Array.from({ length: 32 }, (_, n) => store.put(key, `${round}.${n}`, { ifMatch: etag }));
        const won = (await Promise.allSettled(writers)).flatMap((r, n) =>
          r.status === 'fulfilled' ? [{ n, etag: r.value.etag }] : [],
        );
        expect(won).toHaveLength(1);
        expect(await read(store, key)).toBe(`${round}.${won[0]?.n}`);
        etag = won[0]?.etag ?? '';
      }
    });

    it('streams 64 MiB in and out unchanged', async () => {
      const key = `${fresh()}/large.bin`;
      const bytes = randomBytes(64 * MiB);
      const put = await store.put(key, streamOf(bytes, 1_000_003));
      expect(put).toMatchObject({ sizeBytes: bytes.length, sha256: sha256(bytes) });
      const got = await store.get(key);
      expect(got).toMatchObject({ sizeBytes: bytes.length, etag: put.etag });
      const hash = createHash('sha256');
      for await (const chunk of got.body) hash.update(chunk as Buffer);
      expect(hash.digest('hex')).toBe(sha256(bytes));
    });

    it('holds sizes around the border between one part and several', async () => {
      const prefix = fresh();
      for (const sizeBytes of [8 * MiB - 1, 8 * MiB, 8 * MiB + 1, 16 * MiB]) {
        const bytes = randomBytes(sizeBytes);
        await store.put(`${prefix}/stream-${sizeBytes}`, streamOf(bytes));
        await store.put(`${prefix}/bytes-${sizeBytes}`, bytes);
        for (const kind of ['stream', 'bytes']) {
          const got = await buffer((await store.get(`${prefix}/${kind}-${sizeBytes}`)).body);
          expect(got.equals(bytes), `${kind} of ${sizeBytes}`).toBe(true);
        }
      }
    });

    it('holds conditions for bodies in several parts too', async () => {
      const key = `${fresh()}/large`;
      const bytes = randomBytes(9 * MiB);
      const writers = Array.from({ length: 4 }, () => store.put(key, streamOf(bytes, 500_000), { ifNoneMatch: '*' }));
      const results = await Promise.allSettled(writers);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const refused = results.filter((r) => r.status === 'rejected' && r.reason.type === 'Conflict');
      expect(refused).toHaveLength(3);
      await expect(store.put(key, streamOf(bytes), { ifMatch: '"stale"' })).rejects.toMatchObject({ type: 'Conflict' });
    });

    it('leaves no object when the source of a stream fails, and passes its error on', async () => {
      const key = `${fresh()}/half`;
      const failing = (sizeBytes: number): Readable =>
        Readable.from(
          (async function* () {
            yield randomBytes(sizeBytes);
            throw new Error('the source broke');
          })(),
          { objectMode: false },
        );
      await expect(store.put(key, failing(10))).rejects.toThrow('the source broke');
      await expect(store.put(key, failing(20 * MiB))).rejects.toThrow('the source broke');
      expect(await store.head(key)).toBeUndefined();
    });

    it('stops when its signal aborts, leaves nothing, and throws the reason', async () => {
      const key = `${fresh()}/stopped`;
      const stop = new AbortController();
      const endless = Readable.from(
        (async function* () {
          for (let sent = 0; ; sent += 1) {
            yield randomBytes(MiB);
            if (sent === 20) stop.abort(new Error('no longer wanted'));
            if (sent >= 20) await new Promise((resolve) => setTimeout(resolve, 20));
          }
        })(),
        { objectMode: false },
      );
      await expect(store.put(key, endless, { signal: stop.signal })).rejects.toThrow('no longer wanted');
      expect(await store.head(key)).toBeUndefined();
      await expect(store.put(key, 'x', { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
      await expect(store.get(key, { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
    });

    it('stops giving bytes when the reader aborts', async () => {
      const key = `${fresh()}/a`;
      await store.put(key, randomBytes(4 * MiB));
      const stop = new AbortController();
      const { body } = await store.get(key, { signal: stop.signal });
      const reading = (async () => {
        for await (const _chunk of body) stop.abort(new Error('enough'));
      })();
      await expect(reading).rejects.toThrow('enough');
    });

    it('reads ranges, both ends included, and tells the size of the whole', async () => {
      const key = `${fresh()}/a`;
      await store.put(key, '0123456789');
      const middle = await store.get(key, { range: { start: 2, end: 4 } });
      expect(await text(middle.body)).toBe('234');
      expect(middle.sizeBytes).toBe(10);
      expect(await text((await store.get(key, { range: { start: 8, end: 100 } })).body)).toBe('89');
      await expect(store.get(key, { range: { start: 10, end: 12 } })).rejects.toMatchObject({ type: 'InvalidInput' });
    });

    it('keeps keys in any script, with spaces and signs', async () => {
      const prefix = fresh();
      const names = [
        '日本語/ファイル.json',
        'größe ä.txt',
        'a+b=c&d;e,f',
        '😀.bin',
        'quote\'"<>.xml',
        'per%cent 100%',
        'q?x#y',
      ];
      for (const each of names) await store.put(`${prefix}/${each}`, each);
      for (const each of names) expect(await read(store, `${prefix}/${each}`)).toBe(each);
      const listed = await collect(store.list(`${prefix}/`));
      expect(listed.sort()).toEqual(names.map((each) => `${prefix}/${each}`).sort());
    });

    it('lists in key order, page by page, below a prefix only', async () => {
      const prefix = fresh();
      const names = ['a-b', 'a.c', 'a/b', 'a/b0', 'a0', 'b', 'ä', '日'];
      for (const each of names.toReversed()) await store.put(`${prefix}/${each}`, 'x');
      await store.put(`${prefix}-neighbour/a`, 'x');
      expect(await collect(store.list(`${prefix}/`))).toEqual(names.map((each) => `${prefix}/${each}`));
      expect(await collect(store.list(`${prefix}/a/`))).toEqual([`${prefix}/a/b`, `${prefix}/a/b0`]);
      expect(await collect(store.list(`${prefix}/a`, { startAfter: `${prefix}/a/b` }))).toEqual([
        `${prefix}/a/b0`,
        `${prefix}/a0`,
      ]);
      expect(await collect(store.list(`${prefix}/none/`))).toEqual([]);
    });

    it('lists more than 1,000 keys, each once', async () => {
      const prefix = fresh();
      const keys = Array.from({ length: 1_050 }, (_, n) => `${prefix}/${String(n).padStart(5, '0')}`);
      for (let start = 0; start < keys.length; start += 50)
        await Promise.all(keys.slice(start, start + 50).map((key) => store.put(key, 'x')));
      expect(await collect(store.list(`${prefix}/`))).toEqual(keys);
      expect(await collect(store.list(`${prefix}/`, { startAfter: keys[1_000] ?? '' }))).toEqual(keys.slice(1_001));
      for await (const first of store.list(`${prefix}/`)) {
        expect(first).toMatchObject({ key: keys[0], sizeBytes: 1 });
        break;
      }
    });

    it('lists the objects and folders right below a prefix, each once, over several pages', async () => {
      const prefix = fresh();
      const models = Array.from({ length: 130 }, (_, n) => `bot-${String(n).padStart(3, '0')}`);
      const keys = models.flatMap((model) => [`${model}.json`, `${model}/history/1.json`, `${model}/history/2.json`]);
      const odd = [
        'a',
        'a-b/c',
        'a.json',
        'lost/x/y/z',
        'größe ä/日.json',
        'only.json',
        'per%cent 100%/a b',
        'q?x#y/e',
      ];
      for (let start = 0; start < keys.length; start += 50)
        await Promise.all(keys.slice(start, start + 50).map((key) => store.put(`${prefix}/${key}`, 'x')));
      for (const key of odd) await store.put(`${prefix}/odd/${key}`, 'x');
      await store.put(`${prefix}-neighbour/a/b`, 'x');
      const names = async (folder: string): Promise<string[]> => {
        const found: string[] = [];
        for await (const name of store.listChildren(folder)) found.push(name);
        return found.sort();
      };
      const ofModels = models.flatMap((model) => [`${model}.json`, `${model}/`]);
      expect(await names(`${prefix}/`)).toEqual([...ofModels, 'odd/'].sort());
      expect(await names(`${prefix}/odd/`)).toEqual(
        ['a', 'a-b/', 'a.json', 'größe ä/', 'lost/', 'only.json', 'per%cent 100%/', 'q?x#y/'].sort(),
      );
      expect(await names(`${prefix}/none/`)).toEqual([]);
      expect(await names('')).toContain('contract/');
      await expect(names('../')).rejects.toMatchObject({ type: 'InvalidInput' });
      await expect(
        store.bucket('no-such-bucket-anywhere').listChildren('')[Symbol.asyncIterator]().next(),
      ).rejects.toMatchObject({
        type: 'NotFound',
      });
    });

    it('refuses keys that could leave their folder', async () => {
      for (const key of ['../a', 'a/../b', '/a', 'a//b', '', 'a\0b', 'a\\b', 'a/%2e%2e/b']) {
        await expect(store.put(key, 'x'), key).rejects.toMatchObject({ type: 'InvalidInput' });
        await expect(store.get(key), key).rejects.toMatchObject({ type: 'InvalidInput' });
        await expect(store.head(key), key).rejects.toMatchObject({ type: 'InvalidInput' });
        await expect(store.delete(key), key).rejects.toMatchObject({ type: 'InvalidInput' });
      }
      await expect(collect(store.list('../'))).rejects.toMatchObject({ type: 'InvalidInput' });
    });
  });
}
