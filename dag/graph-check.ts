// What a graph must be for the planner to walk it, and the order that its steps stand in.

import { SystemError } from './failures.js';
import type { Graph, Step } from './graph.js';
import { nameProblem } from './names.js';

/** Each costs a run about six events, and Temporal ends a run at 51,200 of them: this leaves room for run records and retries. */
const maxActivities = 5_000;
const activitiesOf = ({ kind }: Step): number => (kind === 'job' ? 3 : 1);

/** Throws `InvalidInput` with one sentence: a bad or duplicate id, an unknown upstream step, an order that is not topological. */
export function checkGraph({ name: dag, steps }: Graph): void {
  const refuse = (sentence: string): never => {
    throw new SystemError('InvalidInput', `DAG ${dag}: ${sentence}`);
  };
  const activities = steps.reduce((sum, step) => sum + activitiesOf(step), 0);
  if (activities > maxActivities)
    refuse(
      `its ${steps.length} steps come to ${activities} activities (three for a job), and ${maxActivities} are the most: split it into DAGs`,
    );
  const seen = new Map<string, Step>();
  for (const step of steps) {
    const problem = nameProblem('step', step.id);
    if (problem !== undefined) refuse(`the step id ${JSON.stringify(step.id)} cannot be used: ${problem}`);
    if (seen.has(step.id)) refuse(`two steps have the id ${step.id}`);
    for (const upstream of [...step.upstream, ...(step.requires ?? [])]) {
      if (!seen.has(upstream)) refuse(`step ${step.id} waits for ${upstream}, which no step before it is`);
    }
    for (const setup of step.teardownOf ?? []) {
      if (seen.get(setup)?.setup !== true) refuse(`step ${step.id} is the teardown of ${setup}, which is not a setup`);
      if (!step.upstream.includes(setup)) refuse(`step ${step.id} does not wait for its setup ${setup}`);
    }
    seen.set(step.id, step);
  }
}

/**
 * Every step after its upstream, otherwise in the order given. Throws `InvalidInput` where steps wait for each other,
 * and names them in a circle.
 */
export function sortSteps(dag: string, steps: readonly Step[]): readonly Step[] {
  const position = new Map(steps.map((step, index) => [step.id, index]));
  const downstream = steps.map((): number[] => []);
  const missing = steps.map((step, index) => {
    const upstream = upstreamIndexes(step, position);
    for (const up of upstream) downstream[up]?.push(index);
    return upstream.length;
  });
  const ready = steps.flatMap((_, index) => (missing[index] === 0 ? [index] : []));
  const sorted: Step[] = [];
  for (let next = 0; next < ready.length; next += 1) {
    const index = ready[next] ?? 0;
    const step = steps[index];
    if (step !== undefined) sorted.push(step);
    for (const down of downstream[index] ?? []) {
      missing[down] = (missing[down] ?? 0) - 1;
      if (missing[down] === 0) ready.push(down);
    }
  }
  if (sorted.length < steps.length) {
    const circle = findCircle(steps, position, missing);
    throw new SystemError('InvalidInput', `DAG ${dag}: these steps wait for each other: ${circle.join(' → ')}`);
  }
  return sorted;
}

const upstreamIndexes = (step: Step, position: ReadonlyMap<string, number>): readonly number[] =>
  [...step.upstream, ...(step.requires ?? [])].flatMap((id) => position.get(id) ?? []);

/** From any step that was never ready, going up through such steps leads round a circle. */
function findCircle(
  steps: readonly Step[],
  position: ReadonlyMap<string, number>,
  missing: readonly number[],
): string[] {
  const trail: number[] = [];
  let at = missing.findIndex((count) => count > 0);
  while (!trail.includes(at)) {
    trail.push(at);
    const step = steps[at];
    if (step === undefined) break;
    at = upstreamIndexes(step, position).find((up) => (missing[up] ?? 0) > 0) ?? at;
  }
  return [...trail.slice(trail.indexOf(at)), at].reverse().map((index) => steps[index]?.id ?? '?');
}
