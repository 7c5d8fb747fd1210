// The one field of an output that the engine reads: a DAG's or a task's own word for what came of it. Pure.

import type { Json } from '../../dag/graph.js';

/** `promoted`, `rejected`, `unchanged`, …; `undefined` where the output has no such field. */
export function outcomeIn(output: Json): string | undefined {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return undefined;
  const { outcome } = output as Readonly<Record<string, Json>>;
  return typeof outcome === 'string' ? outcome : undefined;
}
