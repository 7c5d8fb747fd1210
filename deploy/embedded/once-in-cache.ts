// Makes something in the cache exactly once, however many processes want it at the same time and whenever one is interrupted.

import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { withProgress, type OnProgress } from './progress.js';

export interface LockedOptions {
  /** The folder in question; its lock lies beside it. */
  readonly folder: string;
  /** For messages: `the Temporal CLI 1.5.1`. */
  readonly title: string;
  /** Whether the folder holds what it should. */
  readonly isComplete: () => Promise<boolean>;
  readonly onProgress?: OnProgress | undefined;
}

/** Does the work unless the folder is complete; whoever comes second waits for the first. Throws what the work throws. */
export const onceUnderLock = async (options: LockedOptions, work: () => Promise<void>): Promise<void> => {
  const { folder, isComplete } = options;
  if (await isComplete()) return;
  await mkdir(dirname(folder), { recursive: true });
  const release = await acquire(options);
  try {
    // The process that held the lock before may have done it.
    if (!(await isComplete())) await work();
  } finally {
    // A lock that was taken over because this machine slept is no longer ours to release.
    await release().catch(() => undefined);
  }
};

/** As `onceUnderLock`, with a folder that is there completely or not at all: `make` fills another, which is renamed into place. */
export const onceInCache = (options: LockedOptions, make: (partial: string) => Promise<void>): Promise<void> =>
  onceUnderLock(options, async () => {
    const parent = dirname(options.folder);
    const prefix = `.${basename(options.folder)}.partial-`;
    await removeLeftovers(parent, prefix);
    const partial = await mkdtemp(join(parent, prefix));
    try {
      await make(partial);
      await rm(options.folder, { recursive: true, force: true });
      await rename(partial, options.folder);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  });

// Only the holder of the lock makes partial folders, so all that lie here were left by a process that was interrupted.
const removeLeftovers = async (parent: string, prefix: string): Promise<void> => {
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
  }
};

type Release = () => Promise<void>;

const acquire = async ({ folder, title, onProgress }: LockedOptions): Promise<Release> =>
  (await tryLock(folder)) ??
  withProgress(
    `another process is getting ${title}, waiting for it`,
    async () => {
      for (;;) {
        await sleep(300);
        const release = await tryLock(folder);
        if (release !== undefined) return release;
      }
    },
    { onProgress },
  );

const tryLock = async (folder: string): Promise<Release | undefined> => {
  try {
    return await lock(folder, {
      realpath: false,
      lockfilePath: `${folder}.lock`,
      // The holder touches its lock every second; one that was killed is taken over 5 s later.
      stale: 5_000,
      update: 1_000,
      // Two makers at once waste work and harm nothing: a folder of its own is renamed into place by each.
      onCompromised: () => undefined,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
};
