// Follows the endpoint objects of one environment: at once when asked, and by a slow poll as a backup. It keeps the last good
// state when the object store is away or an object cannot be read, and never goes back to an older generation.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../dag/failures.js';
import type { Endpoints } from '../systems/endpoint/port.js';
import type { EndpointState } from '../systems/endpoint/state.js';
import type { LeaseRequest } from '../systems/serving/lease.js';
import type { LeaseAnswer } from '../systems/serving/port.js';
import type { RecordReading } from '../systems/serving/records.js';
import type { Measurements } from './measurement.js';
import { ModelRoute } from './model-route.js';
import { Target, type UpstreamTimeouts } from './target.js';

export interface FollowerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface FollowerOptions {
  readonly endpoints: Pick<Endpoints, 'models' | 'read'>;
  readonly records: { read(model: string, version: number): Promise<RecordReading | undefined> };
  readonly measurements: Measurements;
  readonly timeouts: UpstreamTimeouts;
  readonly pollMs: number;
  readonly readTimeoutMs: number;
  readonly log: FollowerLog;
}

const discoverEveryMs = 30_000;
const discoverAtMostEveryMs = 2_000;
const reloadAtMostEveryMs = 250;
/** Models read at once: hundreds of reads together would each take longer than a read may. */
const readsAtOnce = 16;
/** Addresses change with a generation or show by a refused connection: the poll looks at them only now and then. */
const pollsForAddresses = 5;

export class EndpointFollower {
  readonly #options: FollowerOptions;
  readonly #nowMs: () => number;
  readonly #routes = new Map<string, ModelRoute>();
  readonly #reloads = new Map<Target, { readonly atMs: number; readonly done: Promise<void> }>();
  readonly #stopping = new AbortController();
  #discoveredMs = -Infinity;
  #discovering: Promise<void> | undefined;
  /** Since this process has once seen the whole list, a model that is not known did not exist before. */
  #sawAll = false;
  #loops: readonly Promise<void>[] = [];

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#nowMs = options.measurements.nowMs;
  }

  /**
   * Whether every endpoint that there was has been read: before that, users are better sent elsewhere. One that came later
   * counts for itself alone: no other gateway knows it better.
   */
  get ready(): boolean {
    return this.#sawAll && this.routes.every(({ wasRead, wasAbsent }) => wasRead || wasAbsent);
  }

  get routes(): readonly ModelRoute[] {
    return [...this.#routes.values()];
  }

  route(model: string): ModelRoute | undefined {
    return this.#routes.get(model);
  }

  /** Reads every endpoint once, and follows from then on. An object store that is away does not stop it. */
  async start(): Promise<void> {
    await this.#discover();
    this.#loops = [this.#poll(), this.#watchForModels()];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    for (const { champion, challenger } of this.#routes.values()) {
      champion?.close();
      challenger?.close();
    }
  }

  /**
   * Reads the endpoint object now; answers the generation that is routed by from now on, 0 where there is no endpoint.
   * Where the object is lost or corrupt that is the last good one's; throws `Unavailable` where it could not be read.
   */
  async sync(model: string): Promise<number> {
    const route = this.#routes.get(model) ?? new ModelRoute(model, this.#sawAll);
    try {
      await this.#refresh(route);
    } catch (error) {
      if (!(error instanceof SystemError) || error.retryable) throw error;
      this.#report(route, error);
    }
    return route.state === undefined ? 0 : this.#adopt(route).generation;
  }

  renewLease(model: string, request: LeaseRequest): LeaseAnswer {
    const route = this.#routes.get(model);
    return route?.renewLease(request, this.#nowMs()) ?? { lease: 'other-generation', generation: 0 };
  }

  /** Somebody asks for a model that is not known: perhaps it has just come. */
  lookForNewModels(): void {
    if (this.#nowMs() - this.#discoveredMs < discoverAtMostEveryMs) return;
    this.#discover().catch(() => undefined);
  }

  /** Reads a version's address again after it did not answer; never throws. */
  async reload(model: string, target: Target): Promise<void> {
    const last = this.#reloads.get(target);
    const nowMs = this.#nowMs();
    if (last !== undefined && nowMs - last.atMs < reloadAtMostEveryMs) return last.done;
    const done = this.#loadTarget(model, target).then(
      () => undefined,
      (error: unknown) => this.#report(this.#routes.get(model), error),
    );
    this.#reloads.set(target, { atMs: nowMs, done });
    return done;
  }

  async #poll(): Promise<void> {
    for (let poll = 1; await this.#pause(this.#options.pollMs); poll += 1) {
      const look = poll % pollsForAddresses === 0 ? 'everything' : 'the state';
      await this.#refreshAll(this.routes, look);
    }
  }

  async #watchForModels(): Promise<void> {
    while (await this.#pause(this.#sawAll ? discoverEveryMs : this.#options.pollMs)) await this.#discover();
  }

  async #pause(forMs: number): Promise<boolean> {
    // Gateways that were started together spread their reads.
    const spreadMs = forMs * (0.9 + Math.random() * 0.2);
    return sleep(spreadMs, true, { signal: this.#stopping.signal, ref: false }).catch(() => false);
  }

  async #discover(): Promise<void> {
    this.#discoveredMs = this.#nowMs();
    await (this.#discovering ??= this.#readList().finally(() => (this.#discovering = undefined)));
  }

  async #readList(): Promise<void> {
    const found: ModelRoute[] = [];
    try {
      for await (const model of this.#eachInTime('the list of endpoints', this.#options.endpoints.models()))
        if (!this.#routes.has(model)) found.push(this.#adopt(new ModelRoute(model, this.#sawAll)));
      this.#sawAll = true;
    } catch (error) {
      this.#options.log.warn({ error: sentence(error), found: found.length }, 'cannot list the endpoints');
    }
    // Also where the list broke off: what is known by then can be routed.
    await this.#refreshAll(found, 'everything');
  }

  /** Never throws: what could not be read is reported, and read again at the next poll. */
  async #refreshAll(routes: readonly ModelRoute[], look: 'everything' | 'the state'): Promise<void> {
    const waiting = routes.values();
    const readOneAfterTheOther = async (): Promise<void> => {
      for (const route of waiting) {
        if (this.#stopping.signal.aborted) return;
        await this.#refresh(route, look).catch((error: unknown) => this.#report(route, error));
      }
    };
    await Promise.all(Array.from({ length: readsAtOnce }, readOneAfterTheOther));
  }

  /** Keeps the first route of a model where two reads met. */
  #adopt(route: ModelRoute): ModelRoute {
    const known = this.#routes.get(route.model);
    if (known !== undefined && known !== route) {
      if (route.state !== undefined)
        known.move(route.state, { champion: route.champion, challenger: route.challenger }, this.#nowMs());
      return known;
    }
    this.#routes.set(route.model, route);
    return route;
  }

  /** All or nothing: a state is routed by only once its versions' addresses were read, too. */
  async #refresh(route: ModelRoute, look: 'everything' | 'the state' = 'everything'): Promise<void> {
    const { endpoints } = this.#options;
    const reading = await this.#withTimeout(`the endpoint ${route.model}`, () => endpoints.read(route.model));
    if (reading === undefined) {
      if (route.state !== undefined)
        throw new SystemError(
          'NotFound',
          `The endpoint object of ${route.model} is gone: the last one is kept, and \`pawl reconcile ${route.model}\` mends it.`,
        );
      route.wasRead = true;
      return;
    }
    const next = reading.state.generation > route.generation ? reading.state : undefined;
    const wanted = next ?? route.state;
    if (wanted === undefined) return;
    const targets = this.#targets(route, wanted);
    const isLookedUp = (target: Target | undefined): target is Target =>
      target !== undefined && (next !== undefined || look === 'everything' || target.upstream === undefined);
    await Promise.all(
      [targets.champion, targets.challenger].filter(isLookedUp).map((target) => this.#loadTarget(route.model, target)),
    );
    route.wasRead = true;
    if (next !== undefined) this.#move(route, next, targets);
    if (route.problem !== undefined) {
      this.#options.log.info({ model: route.model, generation: route.generation }, 'the endpoint is followed again');
      route.problem = undefined;
    }
  }

  #move(
    route: ModelRoute,
    next: EndpointState,
    targets: { champion: Target | undefined; challenger: Target | undefined },
  ): void {
    const before = [route.champion, route.challenger];
    if (!route.move(next, targets, this.#nowMs())) {
      // Another read was quicker.
      for (const target of [targets.champion, targets.challenger]) {
        if (target !== undefined && target !== route.champion && target !== route.challenger) target.close();
      }
      return;
    }
    const { champion, challenger, weights, generation, change } = next;
    this.#options.log.info(
      { model: route.model, generation, champion, challenger, weights, change: change.kind },
      'routing by a new generation',
    );
    this.#options.measurements.forgetIdle(route.model, [champion, challenger]);
    for (const target of before) {
      if (target === undefined || target === route.champion || target === route.challenger) continue;
      target.close();
      this.#reloads.delete(target);
    }
  }

  #targets(route: ModelRoute, state: EndpointState) {
    const known = [route.champion, route.challenger];
    const target = (version: number | null): Target | undefined =>
      version === null
        ? undefined
        : (known.find((candidate) => candidate?.version === version) ??
          new Target(version, this.#options.measurements.of(route.model, version)));
    return { champion: target(state.champion), challenger: target(state.challenger) };
  }

  async #loadTarget(model: string, target: Target): Promise<void> {
    const { records, timeouts } = this.#options;
    try {
      const reading = await this.#withTimeout(`the serving record of ${model} version ${target.version}`, () =>
        records.read(model, target.version),
      );
      // A record that is lost says nothing about the server: the last known address is the best guess.
      if (reading !== undefined) target.apply(reading.record, timeouts);
    } catch (error) {
      if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
      this.#options.log.warn({ model, version: target.version, error: error.message }, 'the last address is kept');
    }
  }

  /** The time holds for each of them: a long list has many pages. */
  async *#eachInTime<T>(what: string, values: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = values[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#withTimeout(what, () => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  async #withTimeout<T>(what: string, read: () => Promise<T>): Promise<T> {
    const { readTimeoutMs } = this.#options;
    const timer = new AbortController();
    const late = sleep(readTimeoutMs, undefined, { signal: timer.signal, ref: false }).then(() => {
      throw new SystemError('Unavailable', `Reading ${what} took longer than ${readTimeoutMs} ms.`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([read(), late]);
    } finally {
      timer.abort();
    }
  }

  #report(route: ModelRoute | undefined, error: unknown): void {
    const problem = sentence(error);
    if (route === undefined) return;
    // What cannot be understood was read all the same.
    if (error instanceof SystemError && !error.retryable) route.wasRead = true;
    if (route.problem === problem) return;
    route.problem = problem;
    this.#options.log.warn(
      { model: route.model, generation: route.generation, error: problem },
      'keeping the last good state',
    );
  }
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
