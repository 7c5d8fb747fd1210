// Cuts a graph down to what a run needs that stops after certain steps. `admit` does it, before the graph is pinned.

import { sealGraph } from './digest.js';
import { SystemError } from './failures.js';
import type { Graph, Step } from './graph.js';

/**
 * The graph of the named steps, all they wait for, and the teardowns of the setups among these; with its own digest.
 * The output is bound as before: what it takes from a step that is gone resolves to null.
 * Throws `InvalidInput` for an unknown step, with the known ones.
 */
export function stopAfter(graph: Graph, stepIds: readonly string[]): Graph {
  const byId = new Map(graph.steps.map((step) => [step.id, step]));
  for (const id of stepIds) {
    if (byId.has(id)) continue;
    const known = graph.steps.map((step) => step.id).join(', ');
    throw new SystemError(
      'InvalidInput',
      `stopAfter: DAG ${graph.name} has no step ${JSON.stringify(id)}; its steps are ${known}`,
    );
  }
  const kept = new Set(stepIds);
  for (const id of kept) {
    const step = byId.get(id);
    for (const upstream of [...(step?.upstream ?? []), ...(step?.requires ?? [])]) kept.add(upstream);
  }
  const setupsKept = (step: Step): readonly string[] => step.teardownOf?.filter((setup) => kept.has(setup)) ?? [];
  const stays = new Set(
    graph.steps.filter((step) => kept.has(step.id) || setupsKept(step).length > 0).map(({ id }) => id),
  );
  const steps = graph.steps.flatMap((step): Step[] => {
    if (kept.has(step.id)) return [step];
    if (!stays.has(step.id)) return [];
    return [{ ...step, teardownOf: setupsKept(step), upstream: step.upstream.filter((id) => stays.has(id)) }];
  });
  return sealGraph({ schema: graph.schema, name: graph.name, steps, output: graph.output });
}
