// What lies between a setup and its teardown: the teardown waits for it, and it runs only where the setup succeeded.

import { SystemError } from './failures.js';
import type { Step } from './graph.js';

/**
 * Completes the steps as Airflow does: a teardown that names no `after` (`open`) waits for all that comes after its setups;
 * a step within a setup's scope requires the setup, unless it runs `always`. Throws `InvalidInput` for a step right after a
 * setup that would run without it.
 */
export function withScopes(dag: string, steps: readonly Step[], open: ReadonlySet<string>): readonly Step[] {
  if (!steps.some((step) => step.setup === true)) return steps;
  const closed = closeTeardowns(steps, open);
  const downstream = downstreamOf(closed);
  const upstream = new Map(closed.map((step) => [step.id, step.upstream]));
  const requires = new Map<string, string[]>();
  for (const setup of closed.filter((step) => step.setup === true)) {
    const teardowns = closed.filter((step) => step.teardownOf?.includes(setup.id)).map((step) => step.id);
    const below = reach([setup.id], downstream);
    const within = teardowns.length === 0 ? below : intersect(below, reach(teardowns, upstream));
    for (const step of closed) {
      if (!within.has(step.id) || step.id === setup.id || step.teardownOf !== undefined) continue;
      if (step.upstream.includes(setup.id)) {
        // Its own rule waits for the setup.
        if (step.triggerRule === 'all_success') continue;
        throw new SystemError(
          'InvalidInput',
          `DAG ${dag}, step ${step.id} comes right after the setup ${setup.id}, so its trigger rule must be all_success, not ${step.triggerRule}`,
        );
      }
      // The one rule that asks nothing of anybody; what comes behind such a step requires the setup all the same.
      if (step.triggerRule === 'always') continue;
      requires.set(step.id, [...(requires.get(step.id) ?? []), setup.id]);
    }
  }
  return closed.map((step) => {
    const setups = requires.get(step.id);
    return setups === undefined ? step : { ...step, requires: setups };
  });
}

function closeTeardowns(steps: readonly Step[], open: ReadonlySet<string>): readonly Step[] {
  const downstream = downstreamOf(steps);
  const byId = new Map(steps.map((step) => [step.id, step]));
  return steps.map((step) => {
    if (step.teardownOf === undefined || !open.has(step.id)) return step;
    const own = reach([step.id], downstream);
    const between = [...reach(step.teardownOf, downstream)].filter(
      (id) => !own.has(id) && byId.get(id)?.teardownOf === undefined,
    );
    return { ...step, upstream: [...new Set([...step.upstream, ...between])] };
  });
}

function downstreamOf(steps: readonly Step[]): ReadonlyMap<string, readonly string[]> {
  const downstream = new Map<string, string[]>(steps.map((step) => [step.id, []]));
  for (const step of steps) for (const up of step.upstream) downstream.get(up)?.push(step.id);
  return downstream;
}

/** Everything that can be reached, the start included. */
function reach(from: readonly string[], edges: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const reached = new Set(from);
  for (const id of reached) for (const next of edges.get(id) ?? []) reached.add(next);
  return reached;
}

const intersect = (left: ReadonlySet<string>, right: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...left].filter((id) => right.has(id)));
