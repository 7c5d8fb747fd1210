// Does something again and again beside a worker's work, never twice at once, until it is stopped.

import { setTimeout as sleep } from 'node:timers/promises';

export interface RoundsOptions {
  /** Never throws; ends early where it is told to. */
  readonly pass: (signal: AbortSignal) => Promise<void>;
  /** Asked after each pass. */
  readonly pauseMs: () => number;
  /** At once unless set. */
  readonly firstAfterMs?: number;
}

/** Begins with the first pass; answers what stops it, once the pass that is under way is over. */
export function startRounds({ pass, pauseMs, firstAfterMs = 0 }: RoundsOptions): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
  const run = async (): Promise<void> => {
    await pause(firstAfterMs);
    while (!signal.aborted) {
      await pass(signal);
      await pause(pauseMs());
    }
  };
  const rounds = run();
  return async () => {
    stopping.abort();
    await rounds;
  };
}
