// Reads and moves the endpoint object; the only code that writes it.

import type { EndpointState } from './state.js';

export interface EndpointReading {
  readonly state: EndpointState;
  readonly etag: string;
}

/** `won: false`: someone else wrote first; `current` is what stands there now (null: nothing). */
export type EndpointWrite =
  | { readonly won: true; readonly state: EndpointState }
  | { readonly won: false; readonly current: EndpointState | null };

/** Throws SystemError: `Unavailable`, `Corrupt` (the object is there and cannot be read: `pawl reconcile` mends it). */
export interface Endpoints {
  /** Those whose object is lost but whose history is there, too. */
  models(): AsyncIterable<string>;
  /** Throws `Corrupt` also where the object is gone but its history is there: that is no first rollout. */
  read(model: string): Promise<EndpointReading | undefined>;
  /**
   * Compare-and-set: writes `next` where the object still is what `over` names (null: nothing there).
   * `next.generation` is one higher than what it replaces. Idempotent by `next.operationId`, also when an answer was lost.
   */
  write(model: string, next: EndpointState, over: EndpointReading | null): Promise<EndpointWrite>;
  /** Every state that was ever written and is known, oldest first; a record that cannot be read shows as a gap. */
  history(model: string, options?: { fromGeneration?: number }): AsyncIterable<EndpointState>;
}
