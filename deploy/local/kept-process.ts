// Keeps one process of a kind running: starts another when it dies, and changes it for a newer one without a gap.

import { setTimeout as sleep } from 'node:timers/promises';
import { signalGroup, type GuardedProcess } from '../embedded/child-process.js';

export interface KeptProcessOptions<P extends GuardedProcess> {
  readonly start: () => Promise<P>;
  /** How long it has to end in order (milliseconds). */
  readonly graceMs: number;
  /** It died, and is started anew after `delayMs`. */
  readonly onDeath: (ending: string, delayMs: number) => void;
  /** It died and could not be started anew; tried again after `delayMs`. */
  readonly onFailure: (error: unknown, delayMs: number) => void;
}

const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** One that ran for so long had been sound. */
const soundAfterMs = 60_000;

export class KeptProcess<P extends GuardedProcess> {
  readonly #options: KeptProcessOptions<P>;
  #current: P | undefined;
  readonly #retiring = new Set<P>();
  #stopping = false;
  #delayMs = firstDelayMs;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #wake = new AbortController();

  constructor(options: KeptProcessOptions<P>) {
    this.#options = options;
  }

  get current(): P | undefined {
    return this.#current;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Starts the first one, or one in place of the last. The old one is told to end only once the new one works, so a start that fails changes nothing. */
  replace(): Promise<P> {
    return this.#inTurn(async () => {
      const next = await this.#options.start();
      const old = this.#current;
      this.#adopt(next);
      if (old !== undefined) this.#retire(old);
      return next;
    });
  }

  /** kill -9 of its whole group, and no other in its place until `replace`. Answers the id that it had. */
  async kill(): Promise<number | undefined> {
    const victim = this.#current;
    this.#current = undefined;
    if (victim === undefined) return undefined;
    signalGroup(victim.pid, 'SIGKILL');
    await victim.waitUntilEnded();
    return victim.pid;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.abort();
    await this.#queue;
    const last = this.#current;
    this.#current = undefined;
    const all = [...this.#retiring, ...(last === undefined ? [] : [last])];
    await Promise.all(all.map((each) => each.stop(this.#options.graceMs)));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      if (this.#stopping) throw new Error('it is being stopped');
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #adopt(process: P): void {
    const since = performance.now();
    this.#current = process;
    void process.waitUntilEnded().then((ending) => {
      if (this.#current !== process || this.#stopping) return;
      this.#current = undefined;
      if (performance.now() - since > soundAfterMs) this.#delayMs = firstDelayMs;
      this.#options.onDeath(ending, this.#delayMs);
      void this.#revive();
    });
  }

  async #revive(): Promise<void> {
    for (;;) {
      const delayMs = this.#delayMs;
      this.#delayMs = Math.min(maxDelayMs, delayMs * 2);
      await sleep(delayMs, undefined, { signal: this.#wake.signal }).catch(() => undefined);
      // A file that changed in the meantime may have brought another.
      if (this.#stopping || this.#current !== undefined) return;
      try {
        await this.replace();
        return;
      } catch (error) {
        if (this.#stopping) return;
        this.#options.onFailure(error, this.#delayMs);
      }
    }
  }

  #retire(old: P): void {
    this.#retiring.add(old);
    void old.stop(this.#options.graceMs).finally(() => this.#retiring.delete(old));
  }
}
