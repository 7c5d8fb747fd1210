// Keeps what endpoints promise alive: a champion that died, or a previous version that is kept for a rollback, is launched anew.
// A challenger is not: its death is what the analysis is there to see. Several workers may each run a keeper.

import type { Endpoints } from '../endpoint/port.js';
import type { GatewayServing } from './gateway.js';
import type { SeenTrouble, Upkeep } from './upkeep.js';

export interface KeeperOptions {
  readonly endpoints: Pick<Endpoints, 'models' | 'read'>;
  readonly serving: Pick<GatewayServing, 'ensureRunning' | 'isLaunched' | 'revive'>;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
  /** Monotonic. */
  readonly nowMs?: () => number;
}

const everyMs = 5_000;
/** While a version comes up again, so that its address is known soon. */
const soonMs = 1_000;

export class ServingKeeper {
  readonly #options: KeeperOptions;
  readonly #trouble = new Map<string, { readonly kind: SeenTrouble['kind']; readonly sinceMs: number }>();
  readonly #comingUp = new Set<string>();
  readonly #told = new Map<string, string>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Until the next pass. */
  get pauseMs(): number {
    return this.#comingUp.size > 0 ? soonMs : everyMs;
  }

  /** Looks after every endpoint once. Never throws: what fails is tried again at the next pass. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { endpoints, log } = this.#options;
    try {
      for await (const model of endpoints.models()) {
        if (signal?.aborted === true) return;
        await this.#look(model).catch((error: unknown) =>
          this.#tell(model, `cannot be looked after: ${sentence(error)}`),
        );
      }
    } catch (error) {
      log.warn({ error: sentence(error) }, 'the keeper cannot list the endpoints');
    }
  }

  async #look(model: string): Promise<void> {
    const state = (await this.#options.endpoints.read(model))?.state;
    if (state === undefined) return;
    if (state.champion !== null) await this.#keep(model, state.champion);
    if (state.previous === null || state.previous === state.champion || state.previous === state.challenger) return;
    // A previous version need not run; while it does, a rollback to it takes no time.
    if (await this.#options.serving.isLaunched(model, state.previous)) await this.#keep(model, state.previous);
  }

  /** Never throws: one version's trouble must not keep another from being looked after. */
  async #keep(model: string, version: number): Promise<void> {
    const name = `${model} version ${version}`;
    await this.#ensure(model, version, name).catch((error: unknown) =>
      this.#tell(name, `cannot be looked after: ${sentence(error)}`),
    );
  }

  async #ensure(model: string, version: number, name: string): Promise<void> {
    const trouble = this.#trouble.get(name);
    const seen = trouble && { kind: trouble.kind, forMs: this.#nowMs() - trouble.sinceMs };
    const { serving } = this.#options;
    const upkeep = await serving.ensureRunning(model, version, seen);
    // Asked again, because a version is retired soon after the endpoint has moved away from it.
    const isMissed = upkeep.did === 'finds it retired' && (await this.#isChampion(model, version));
    this.#note(name, isMissed ? await serving.revive(model, version) : upkeep);
  }

  async #isChampion(model: string, version: number): Promise<boolean> {
    return (await this.#options.endpoints.read(model))?.state.champion === version;
  }

  #note(name: string, upkeep: Upkeep): void {
    const { log } = this.#options;
    if (upkeep.did === 'nothing' || upkeep.did === 'finds it retired') {
      const hung = this.#trouble.get(name)?.kind === 'hangs';
      this.#trouble.delete(name);
      if (upkeep.did === 'nothing' && upkeep.healthy) {
        this.#told.delete(name);
        if (this.#comingUp.delete(name) || hung) log.info({ name }, 'it is up again');
      }
    } else if (upkeep.did === 'relaunched') {
      this.#trouble.delete(name);
      this.#comingUp.add(name);
      log.warn({ name, epoch: upkeep.epoch, reason: upkeep.reason }, 'it had died or hung, and is launched anew');
    } else if (upkeep.did === 'finds it hanging') {
      this.#see(name, 'hangs');
      const isLeft = upkeep.isBusy ? ', and is left alone because gateways get answers from it' : '';
      this.#tell(name, `hangs${isLeft}: ${upkeep.reason}`);
    } else if (upkeep.did === 'leaves it') {
      this.#tell(name, `cannot be reached from here, and is left alone because gateways can: ${upkeep.reason}`);
    } else {
      if (upkeep.lost) this.#see(name, 'lost');
      this.#tell(name, `is away, and is launched anew in ${Math.ceil(upkeep.waitMs / 1000)} s: ${upkeep.reason}`);
    }
  }

  /** The time of a trouble counts from when it was first seen; that of another begins anew. */
  #see(name: string, kind: SeenTrouble['kind']): void {
    if (this.#trouble.get(name)?.kind !== kind) this.#trouble.set(name, { kind, sinceMs: this.#nowMs() });
  }

  #nowMs(): number {
    return this.#options.nowMs?.() ?? performance.now();
  }

  /** Once, not at every pass. */
  #tell(name: string, what: string): void {
    const gist = what.replace(/\d+/g, '');
    if (this.#told.get(name) === gist) return;
    this.#told.set(name, gist);
    this.#options.log.warn({ name }, what);
  }
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
