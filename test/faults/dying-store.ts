// An object store whose process dies at a chosen write: what kill -9 between any two writes leaves behind, without a process.

import type { Readable } from 'node:stream';
import type { ObjectStore, PutOptions, PutResult } from '../../systems/object-store/port.js';

export class Died extends Error {}

/**
 * Passes everything on until write `diesAtWrite` (counted from 1): that one is made or not (`made`), and neither it nor any
 * later call is answered. `writes` tells how many were made at all.
 */
export function dyingStore(
  store: ObjectStore,
  death: { readonly diesAtWrite: number; readonly made: boolean },
): ObjectStore & { readonly writes: number; readonly dead: boolean } {
  let writes = 0;
  let dead = false;
  const alive = (): void => {
    if (dead) throw new Died('the process is dead');
  };
  return {
    bucketName: store.bucketName,
    get writes() {
      return writes;
    },
    get dead() {
      return dead;
    },
    credentialsExpireAt: async () => await store.credentialsExpireAt(),
    bucket: () => {
      throw new Error('a dying store has one bucket');
    },
    get: async (key: string, options?: { range?: { start: number; end: number }; signal?: AbortSignal }) => {
      alive();
      return await store.get(key, options);
    },
    head: async (key: string) => {
      alive();
      return await store.head(key);
    },
    async put(key: string, body: Uint8Array | string | Readable, options?: PutOptions): Promise<PutResult> {
      alive();
      writes += 1;
      if (writes < death.diesAtWrite) return await store.put(key, body, options);
      dead = true;
      // A condition that does not hold is no write; the process dies all the same.
      if (death.made) await store.put(key, body, options).catch(() => undefined);
      throw new Died(`the process died at write ${writes}`);
    },
    delete: async (key: string) => {
      alive();
      await store.delete(key);
    },
    async *list(prefix: string, options?: { startAfter?: string; signal?: AbortSignal }) {
      alive();
      yield* store.list(prefix, options);
    },
    async *listChildren(prefix: string, options?: { signal?: AbortSignal }) {
      alive();
      yield* store.listChildren(prefix, options);
    },
  };
}
