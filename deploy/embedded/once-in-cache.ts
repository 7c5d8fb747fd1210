// Makes something in the cache exactly once, however many processes want it at the same time and whenever one is interrupted.

import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { withProgress, type OnProgress } from './progress.js';

export interface OnceOptions {
  /** What is made: a folder that is there completely or not at all. */
  readonly folder: string;
  /** For messages: `the Temporal CLI 1.5.1`. */
  readonly title: string;
  /** Whether the folder holds what it should; a folder that does not is replaced. */
  isComplete(): Promise<boolean>;
  /** Fills an empty folder beside the final one; it is then renamed into place. */
  make(partial: string): Promise<void>;
  readonly onProgress?: OnProgress | undefined;
}

/** Returns once the folder is complete; whoever comes second waits for the first. Throws what `make` throws. */
export const onceInCache = async (options: OnceOptions): Promise<void> => {
  const { folder, isComplete, make } = options;
  if (await isComplete()) return;
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  const release = await acquire(options);
  try {
    // The process that held the lock before may have made it.
    if (await isComplete()) return;
    const prefix = `.${basename(folder)}.partial-`;
    await removeLeftovers(parent, prefix);
    const partial = await mkdtemp(join(parent, prefix));
    try {
      await make(partial);
      await rm(folder, { recursive: true, force: true });
      await rename(partial, folder);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  } finally {
    // A lock that was taken over because this machine slept is no longer ours to release.
    await release().catch(() => undefined);
  }
};

// Only the holder of the lock makes partial folders, so all that lie here were left by a process that was interrupted.
const removeLeftovers = async (parent: string, prefix: string): Promise<void> => {
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
  }
};

const acquire = async ({ folder, title, onProgress }: OnceOptions): Promise<() => Promise<void>> => {
  const tryLock = async (): Promise<(() => Promise<void>) | undefined> => {
    try {
      return await lockfile.lock(folder, {
        realpath: false,
        lockfilePath: `${folder}.lock`,
        // The holder touches its lock every 2 s; one that was killed is taken over 10 s later.
        stale: 10_000,
        update: 2_000,
        // Two makers at once waste work and harm nothing, because each renames a folder of its own into place.
        onCompromised: () => undefined,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
      throw error;
    }
  };
  const first = await tryLock();
  if (first !== undefined) return first;
  return withProgress(
    `another process is getting ${title}, waiting for it`,
    async () => {
      for (;;) {
        await sleep(300);
        const release = await tryLock();
        if (release !== undefined) return release;
      }
    },
    { onProgress },
  );
};
