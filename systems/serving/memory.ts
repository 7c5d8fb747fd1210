// Serving within this process, for unit and workflow tests of a rollout: versions that come up, fail or die as a test says, and
// routers that follow the endpoint and honour the lease exactly as a gateway does.

import { SystemError } from '../../dag/failures.js';
import type { Endpoints } from '../endpoint/port.js';
import type { EndpointState } from '../endpoint/state.js';
import { isHeld, leaseOnMove, leaseOnStart, noLease, renewLease, type Lease } from './lease.js';
import type { LaunchRequest, LeaseAnswer, ProbeResult, ReplicaState, RetireOptions, Router, Serving } from './port.js';

/** How a version behaves; ready at once and answering every probe unless a test says otherwise. */
export interface VersionBehaviour {
  readonly comesUp?: 'at once' | 'never' | 'fails';
  readonly probeErrors?: number;
}

export interface MemoryServingOptions {
  readonly endpoints: Pick<Endpoints, 'read'>;
  /** One unless set. */
  readonly routers?: number;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

export class MemoryRouter implements Router {
  /** While true, every call throws `Unavailable`. */
  away = false;
  readonly #options: MemoryServingOptions;
  readonly #states = new Map<string, { state: EndpointState; lease: Lease }>();
  readonly #inFlight = new Map<string, number>();
  /** Models that this process knows not to have existed when it started. */
  #sawAll = true;

  constructor(
    readonly id: string,
    options: MemoryServingOptions,
  ) {
    this.#options = options;
  }

  /** A process started anew: it finds the endpoints as they are. */
  restart(): void {
    this.#states.clear();
    this.#inFlight.clear();
    this.#sawAll = false;
  }

  async sync(model: string): Promise<{ generation: number }> {
    this.#check();
    const next = (await this.#options.endpoints.read(model))?.state;
    const known = this.#states.get(model);
    if (next !== undefined && next.generation > (known?.state.generation ?? 0)) {
      const nowMs = this.#nowMs();
      const lease =
        known === undefined && !this.#sawAll
          ? leaseOnStart(next, nowMs)
          : leaseOnMove(known?.lease ?? noLease, next, nowMs);
      this.#states.set(model, { state: next, lease });
    }
    return { generation: this.#states.get(model)?.state.generation ?? 0 };
  }

  async renewLease(
    model: string,
    request: { generation: number; trial: string; leaseMs: number },
  ): Promise<LeaseAnswer> {
    this.#check();
    const known = this.#states.get(model);
    if (known === undefined) return { lease: 'other-generation', generation: 0 };
    const { lease, answer } = renewLease(known.lease, request, { state: known.state, nowMs: this.#nowMs() });
    known.lease = lease;
    return answer;
  }

  async inFlight(model: string, version: number): Promise<number> {
    this.#check();
    return this.#inFlight.get(`${model}/${version}`) ?? 0;
  }

  setInFlight(model: string, version: number, requests: number): void {
    this.#inFlight.set(`${model}/${version}`, requests);
  }

  /** Percent of new requests that each version gets at the moment. */
  shares(model: string): { readonly champion: number; readonly challenger: number } {
    const known = this.#states.get(model);
    if (known === undefined) return { champion: 0, challenger: 0 };
    const { state, lease } = known;
    return isHeld(lease, this.#nowMs())
      ? state.weights
      : { champion: state.champion === null ? 0 : 100, challenger: 0 };
  }

  #check(): void {
    if (this.away) throw new SystemError('Unavailable', `The router ${this.id} does not answer.`);
  }

  #nowMs(): number {
    return this.#options.nowMs?.() ?? performance.now();
  }
}

export class MemoryServing implements Serving {
  readonly name = 'memory';
  /** A test may reach into each. */
  readonly memoryRouters: readonly MemoryRouter[];
  /** Every launch that started something, in order. */
  readonly launches: LaunchRequest[] = [];
  readonly #running = new Map<string, LaunchRequest>();
  readonly #dead = new Set<string>();
  readonly #behaviours = new Map<string, VersionBehaviour>();

  constructor(options: MemoryServingOptions) {
    const count = options.routers ?? 1;
    this.memoryRouters = Array.from({ length: count }, (_, index) => new MemoryRouter(`memory-${index}`, options));
  }

  behave(model: string, version: number, behaviour: VersionBehaviour): void {
    this.#behaviours.set(`${model}/${version}`, behaviour);
  }

  /** The version's program ends by itself. */
  crash(model: string, version: number): void {
    this.#dead.add(`${model}/${version}`);
  }

  async routers(): Promise<readonly Router[]> {
    return this.memoryRouters;
  }

  async launch(request: LaunchRequest): Promise<void> {
    const name = `${request.model}/${request.version}`;
    if (this.#running.has(name) && !this.#dead.has(name)) return;
    this.#dead.delete(name);
    this.#running.set(name, request);
    this.launches.push(request);
  }

  async state(model: string, version: number): Promise<ReplicaState> {
    const name = `${model}/${version}`;
    if (!this.#running.has(name)) return { phase: 'absent' };
    if (this.#dead.has(name)) return { phase: 'failed', reason: `Version ${version} of ${model} has ended.` };
    const comesUp = this.#behaviours.get(name)?.comesUp ?? 'at once';
    if (comesUp === 'never') return { phase: 'starting' };
    if (comesUp === 'fails') return { phase: 'failed', reason: `Version ${version} of ${model} did not come up.` };
    return { phase: 'ready', url: `http://${model}-${version}.invalid` };
  }

  async probe(
    model: string,
    version: number,
    probe: { path: string; bodies: readonly string[] },
  ): Promise<ProbeResult> {
    if ((await this.state(model, version)).phase !== 'ready')
      throw new SystemError('Unavailable', `Version ${version} of ${model} is not ready to be probed.`);
    const errors = Math.min(this.#behaviours.get(`${model}/${version}`)?.probeErrors ?? 0, probe.bodies.length);
    const answer = { requests: probe.bodies.length, errors, latencyP50Ms: 10 };
    return errors === 0 ? answer : { ...answer, firstError: 'It answered 500.' };
  }

  async retire(model: string, version: number, options: RetireOptions): Promise<boolean> {
    if ((await options.isWanted?.()) === true) return false;
    this.#running.delete(`${model}/${version}`);
    this.#dead.delete(`${model}/${version}`);
    return true;
  }

  async launched(model: string): Promise<readonly number[]> {
    return [...this.#running.values()].filter((request) => request.model === model).map(({ version }) => version);
  }

  async isWanted(): Promise<boolean> {
    return true;
  }
}
