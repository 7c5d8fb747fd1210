// Which of a task queue's pollers are workers that live: Temporal names for five minutes those that have gone. Pure.

/** A poll is answered after a minute at the latest, and then begun anew. */
const longestPollMs = 70_000;

export interface Poller {
  /** `<process id>@<host>` unless a worker was given another. */
  readonly identity?: string | null;
  readonly lastAccessTime?: { readonly seconds?: { toString(): string } | null } | null;
}

export interface Here {
  readonly nowMs: number;
  readonly host: string;
  isAlive(pid: number): boolean;
}

/** One for each worker, however many polls it has open. */
export function livingPollers(pollers: readonly Poller[], here: Here): string[] {
  const living = pollers.filter(({ identity, lastAccessTime }) => {
    const seenMs = Number(lastAccessTime?.seconds?.toString() ?? NaN) * 1_000;
    // A server that does not say when is believed.
    if (here.nowMs - seenMs > longestPollMs) return false;
    const [, pid, host] = /^(\d+)@(.+)$/.exec(identity ?? '') ?? [];
    return host !== here.host || here.isAlive(Number(pid));
  });
  return [...new Set(living.map(({ identity }) => identity ?? ''))];
}
