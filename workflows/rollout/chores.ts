// What is left to do once an endpoint has moved: routers to the new generation, aliases, services that nobody needs any more.
// It rolls forward only, without end, beside whatever the rollout does next; a later operation takes it over by being there.

import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { RetireRequest } from '../../activities/rollout/protocol.js';
import { forward } from './activities.js';
import { failureReason } from './failure-reason.js';

export interface ChoresLeft {
  readonly model: string;
  /** Routers and aliases are to come to this generation; 0: nothing to do. */
  readonly routersTo: number;
  readonly aliasesTo: number;
  readonly retiring: readonly RetireRequest[];
}

interface Retirement {
  readonly request: RetireRequest;
  readonly scope: CancellationScope;
  done: Promise<void>;
}

const firstPauseMs = 5_000;
const maxPauseMs = 30 * 60_000;

export class Chores {
  private routersTo = 0;
  private aliasesTo = 0;
  private readonly scope = new CancellationScope();
  private readonly retiring = new Map<number, Retirement>();
  private syncing: Promise<void> | undefined;
  private mirroring: Promise<void> | undefined;
  private readonly troubles = new Map<string, string>();

  constructor(
    private readonly model: string,
    private readonly changed: () => void,
  ) {}

  /** Takes up what an earlier run of the workflow left. */
  resume(left: ChoresLeft): void {
    if (left.routersTo > 0) this.syncRouters(left.routersTo);
    if (left.aliasesTo > 0) this.mirrorAliases(left.aliasesTo);
    for (const request of left.retiring) this.retire(request);
  }

  /** Brings routers and aliases to a generation of the endpoint, or a later one. */
  follow(generation: number): void {
    this.syncRouters(generation);
    this.mirrorAliases(generation);
  }

  retire(request: Omit<RetireRequest, 'model'>): void {
    if (this.retiring.has(request.version)) return;
    const retirement: Retirement = {
      request: { model: this.model, ...request },
      scope: new CancellationScope({ cancellable: true, parent: this.scope }),
      done: Promise.resolve(),
    };
    this.retiring.set(request.version, retirement);
    const name = `retire version ${request.version}`;
    retirement.done = this.persist(name, retirement.scope, async () => {
      const { movedTo } = await forward(name, request.drainMs + 300_000).retireVersion(retirement.request);
      if (movedTo !== undefined) this.follow(movedTo);
    }).then((finished) => {
      if (finished) this.retiring.delete(request.version);
      this.changed();
    });
  }

  /** A version is wanted again: its retirement ends before this returns. */
  async keep(version: number): Promise<void> {
    const retirement = this.retiring.get(version);
    if (retirement === undefined) return;
    retirement.scope.cancel();
    await retirement.done;
    this.retiring.delete(version);
  }

  get isDone(): boolean {
    return this.routersTo === 0 && this.aliasesTo === 0 && this.retiring.size === 0;
  }

  describe(): string[] {
    const trouble = (name: string): string => {
      const text = this.troubles.get(name);
      return text === undefined ? name : `${name} (tries on: ${text})`;
    };
    return [
      ...(this.routersTo > 0 ? [trouble('routers')] : []),
      ...(this.aliasesTo > 0 ? [trouble('aliases')] : []),
      ...[...this.retiring.keys()].map((version) => trouble(`retire version ${version}`)),
    ];
  }

  /** Stops, so that the workflow can continue as new with what is left. */
  async handOver(): Promise<ChoresLeft> {
    const left = {
      model: this.model,
      routersTo: this.routersTo,
      aliasesTo: this.aliasesTo,
      retiring: [...this.retiring.values()].map(({ request }) => request),
    };
    this.scope.cancel();
    await Promise.all([this.syncing, this.mirroring, ...[...this.retiring.values()].map(({ done }) => done)]);
    return left;
  }

  private syncRouters(generation: number): void {
    this.routersTo = Math.max(this.routersTo, generation);
    this.syncing ??= this.persist('routers', this.scope, async () => {
      let reached = 0;
      while (reached < this.routersTo) {
        reached = this.routersTo;
        await forward('routers').syncRouters({ model: this.model, generation: reached });
      }
      this.routersTo = 0;
    }).then((finished) => {
      this.syncing = undefined;
      // A move that came between the last round and here must not be lost.
      if (finished && this.routersTo > 0) this.syncRouters(this.routersTo);
      this.changed();
    });
  }

  /** The aliases alone, where routers are asked by somebody else. */
  mirrorAliases(generation: number): void {
    this.aliasesTo = Math.max(this.aliasesTo, generation);
    this.mirroring ??= this.persist('aliases', this.scope, async () => {
      let reached = 0;
      // The activity mirrors the endpoint as it then is, so a late one is never behind.
      while (reached < this.aliasesTo)
        reached = (await forward('aliases').mirrorAliases({ model: this.model })).generation;
      this.aliasesTo = 0;
    }).then((finished) => {
      this.mirroring = undefined;
      if (finished && this.aliasesTo > 0) this.mirrorAliases(this.aliasesTo);
      this.changed();
    });
  }

  /** Tries until it is done (`true`) or no longer wanted (`false`); never throws. */
  private async persist(name: string, scope: CancellationScope, work: () => Promise<void>): Promise<boolean> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      try {
        await scope.run(work);
        this.troubles.delete(name);
        return true;
      } catch (error) {
        if (isCancellation(error)) return false;
        this.troubles.set(name, failureReason(error));
        log.warn(`${name}: ${failureReason(error)}`);
        this.changed();
      }
      try {
        await scope.run(() => sleep(pauseMs, { summary: `until ${name} is tried again` }));
      } catch {
        return false;
      }
    }
  }
}
