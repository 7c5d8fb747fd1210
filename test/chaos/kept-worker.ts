// Keeps one worker working, as a machine's service manager does: when it dies, the one that stood by takes its place at once.

import type { ChildProcess } from 'node:child_process';
import type { EffectPlan } from './effects.js';

export class KeptWorker {
  #plan: EffectPlan;
  #standby: ChildProcess;
  #working: ChildProcess | undefined;
  #stopped = false;
  #held = false;
  #failure: Error | undefined;
  /** How often a worker died, by whatever hand. */
  deaths = 0;

  constructor(
    plan: EffectPlan,
    private readonly fork: () => ChildProcess,
  ) {
    this.#plan = plan;
    this.#standby = fork();
    this.#next();
  }

  /** The sites that kill from the next worker on; the present one is replaced in order. */
  async setPlan(plan: EffectPlan): Promise<void> {
    this.#plan = plan;
    await this.replace();
  }

  /** Does something while no worker works. */
  async pauseWhile(act: () => void): Promise<void> {
    const working = this.#working;
    this.#held = true;
    await this.#gone('SIGTERM');
    act();
    this.#held = false;
    if (working !== undefined) this.#next();
  }

  /** kill -9, by hand. */
  async kill(): Promise<void> {
    await this.#gone('SIGKILL');
  }

  /** SIGSTOP or SIGCONT to the one that works. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#working?.kill(signal);
  }

  /** A new deploy: the present one hands its work over. */
  async replace(): Promise<void> {
    await this.#gone('SIGTERM');
  }

  /** No worker takes the place of the present one, which is gone when this returns. Throws where one had ended by itself. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#standby.kill('SIGKILL');
    await this.#gone('SIGTERM');
    if (this.#failure !== undefined) throw this.#failure;
  }

  #next(): void {
    const worker = this.#standby;
    this.#working = worker;
    worker.once('exit', (code, signal) => {
      this.#working = undefined;
      if (code !== null && code !== 0) this.#failure ??= new Error(`a worker ended by itself with ${String(code)}`);
      if (signal === 'SIGKILL') this.deaths += 1;
      if (!this.#stopped && !this.#held) this.#next();
    });
    // A message waits until the other side listens.
    worker.send(this.#plan, () => undefined);
    if (!this.#stopped) this.#standby = this.fork();
  }

  async #gone(signal: NodeJS.Signals): Promise<void> {
    const worker = this.#working;
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.kill(signal);
    await exited;
  }
}
