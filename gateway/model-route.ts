// What the gateway knows about one model: the endpoint state that it routes by, the lease, and the versions' addresses.
// Reading is for the hot path; moving happens in EndpointFollower.

import type { EndpointState } from '../systems/endpoint/state.js';
import { isHeld, leaseOnMove, leaseOnStart, noLease, renewLease, settle } from '../systems/serving/lease.js';
import type { Lease, LeaseRequest } from '../systems/serving/lease.js';
import type { LeaseAnswer } from '../systems/serving/port.js';
import { chooseRole } from './routing.js';
import type { Target } from './target.js';
import { UserRequests } from './user-requests.js';

export class ModelRoute {
  state: EndpointState | undefined;
  generationText = '0';
  champion: Target | undefined;
  challenger: Target | undefined;
  /** Whether its object has been looked at since this process started. */
  wasRead = false;
  /** Why the endpoint object or a serving record cannot be followed at the moment. */
  problem: string | undefined;
  readonly users = new UserRequests();
  #lease: Lease = noLease;

  constructor(
    readonly model: string,
    /** Whether this process knows that the endpoint did not exist before: then even its first state is one it saw begin. */
    readonly wasAbsent: boolean,
  ) {}

  get generation(): number {
    return this.state?.generation ?? 0;
  }

  /** Moves on to a newer state; answers false, and does nothing, for any other. */
  move(next: EndpointState, targets: { champion: Target | undefined; challenger: Target | undefined }, nowMs: number) {
    if (next.generation <= this.generation) return false;
    this.#lease =
      this.state === undefined && !this.wasAbsent ? leaseOnStart(next, nowMs) : leaseOnMove(this.#lease, next, nowMs);
    this.state = next;
    this.generationText = String(next.generation);
    this.champion = targets.champion;
    this.challenger = targets.challenger;
    return true;
  }

  renewLease(request: LeaseRequest, nowMs: number): LeaseAnswer {
    if (this.state === undefined) return { lease: 'other-generation', generation: 0 };
    const { lease, answer } = renewLease(this.#lease, request, { state: this.state, nowMs });
    this.#lease = lease;
    return answer;
  }

  /** The version that gets a request; `undefined` where no version is live. `draw` is in [0, 1). */
  choose(nowMs: number, draw: number): Target | undefined {
    if (this.state === undefined) return undefined;
    return chooseRole(this.state, isHeld(this.#lease, nowMs), draw) === 'challenger' ? this.challenger : this.champion;
  }

  /** Whether a new request could go to the version. */
  routesTo(version: number, nowMs: number): boolean {
    if (this.state?.champion === version) return true;
    return this.state?.challenger === version && this.state.weights.challenger > 0 && isHeld(this.#lease, nowMs);
  }

  leaseNow(nowMs: number): Lease {
    return (this.#lease = settle(this.#lease, nowMs));
  }
}
