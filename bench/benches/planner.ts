// The planner alone, walking graphs of 10,000 steps from their first decision to their last.

import type { Graph, Step } from '../../dag/graph.js';
import { createPlanner } from '../../dag/planner.js';
import { atMost, figure, type Bench } from '../report.js';
import { spreadOf } from '../statistics.js';

const steps = 10_000;
const layers = 100;
const upstreamInLayered = 10;

const stepOf = (index: number, upstream: readonly number[]): Step => ({
  id: `step-${index}`,
  kind: 'activity',
  task: { name: 'any', version: '1', digest: '' },
  input: { kind: 'literal', value: null },
  upstream: upstream.map((each) => `step-${each}`),
  triggerRule: 'all_success',
  retry: { attempts: 1, firstDelayMs: 1, maxDelayMs: 1 },
  deadlineMs: 1,
  timeoutMs: 1,
  heartbeatMs: 1,
});

const graphOf = (name: string, upstreamOf: (index: number) => readonly number[]): Graph => ({
  schema: 1,
  name,
  digest: '',
  steps: Array.from({ length: steps }, (_, index) => stepOf(index, upstreamOf(index))),
  output: { kind: 'literal', value: null },
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const width = steps / layers;

/** One after the other; one, then all, then one; and layers of which each step waits for ten of the layer before. */
const graphs: readonly Graph[] = [
  graphOf('chain', (index) => (index === 0 ? [] : [index - 1])),
  graphOf('fan', (index) => (index === 0 ? [] : index === steps - 1 ? range(1, steps - 1) : [0])),
  graphOf('layered', (index) => {
    const layer = Math.floor(index / width);
    return layer === 0
      ? []
      : range(0, upstreamInLayered).map((each) => (layer - 1) * width + ((index + each * 7) % width));
  }),
];

/** Makes the planner's index and plays the run to its end, each step succeeding; answers microseconds of CPU an edge. */
function play(graph: Graph, edges: number): number {
  const before = process.cpuUsage();
  const planner = createPlanner(graph);
  const state = planner.initial();
  const queue = [...planner.start(state)];
  let started = 0;
  for (let at = 0; at < queue.length; at++) {
    const decision = queue[at];
    if (decision?.kind !== 'start') throw new Error(`${graph.name}: an unexpected decision`);
    started++;
    for (const next of planner.settle(state, decision.stepId, { status: 'success' })) queue.push(next);
  }
  if (started !== steps || planner.result(state)?.status !== 'success')
    throw new Error(`${graph.name} did not end well`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / edges;
}

export const planner: Bench = {
  name: 'planner',
  title: `graphs of ${steps.toLocaleString('en-US')} steps, index and every decision`,
  async run({ quick }) {
    const [warmUps, rounds] = quick ? [1, 3] : [10, 40];
    const aimed = graphs.map((graph) => {
      const edges = graph.steps.reduce((sum, step) => sum + step.upstream.length, 0);
      for (let round = 0; round < warmUps; round++) play(graph, edges);
      const samples = Array.from({ length: rounds }, () => play(graph, edges));
      return atMost(
        1,
        figure(`${graph.name}, ${edges.toLocaleString('en-US')} edges`, 'µs an edge', spreadOf(samples)),
      );
    });
    return {
      aimed,
      figures: [],
      notes: [
        'CPU time of the whole process, garbage collection included, after warming up; no Temporal, no input to resolve',
      ],
    };
  },
};
