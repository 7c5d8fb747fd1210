// Which version gets a request. Pure, and called for every request: nothing here allocates.

import type { EndpointState } from '../systems/endpoint/state.js';

export type Role = 'champion' | 'challenger';

/** `draw` is in [0, 1). The challenger gets its weight while its lease is held; everything else is the champion's. */
export const chooseRole = (state: EndpointState, leaseHeld: boolean, draw: number): Role =>
  leaseHeld && state.challenger !== null && draw * 100 < state.weights.challenger ? 'challenger' : 'champion';

/**
 * A draw that is always the same for one key within one trial, so that a user stays with a version; users who got the
 * challenger at 10 % keep it at 25 %, and another trial draws other users. FNV-1a with the finalizer of MurmurHash3.
 */
export function drawForKey(trial: string | null, key: string): number {
  let hash = fnv(0x811c9dc5, trial ?? '');
  hash = fnv(Math.imul(hash, 0x01000193), key);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

function fnv(seed: number, text: string): number {
  let hash = seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** A seeded generator (mulberry32), so that a test can repeat a sequence of choices. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
