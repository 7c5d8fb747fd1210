// Digests of plain data: the same content gives the same digest, whatever the order of its keys.
// Uses node:crypto, so workflow code does not import it.

import { createHash } from 'node:crypto';

import type { Graph, Json } from './graph.js';

/** JSON with sorted keys and no spaces; fields that are `undefined` are left out, as `JSON.stringify` does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item: unknown) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** SHA-256 in hex. */
export const sha256Hex = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

/** SHA-256 in hex over the canonical JSON of a value. */
export const digestOf = (value: Json | object): string => sha256Hex(canonicalJson(value));

/** Puts its digest on a graph; one that it may have had is not part of the content. */
export const sealGraph = (graph: Omit<Graph, 'digest'>): Graph => ({
  ...graph,
  digest: digestOf({ ...graph, digest: undefined }),
});
