import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Graph, Step, StepStatus } from '../../../dag/graph.js';
import { triggerRules } from '../../../dag/graph.js';
import { checkGraph } from '../../../dag/graph-check.js';
import { createPlanner } from '../../../dag/planner.js';
import { withScopes } from '../../../dag/setup-scope.js';
import { judgeTriggerRule } from '../../../dag/trigger-rule.js';
import { graphOf, play, stepOf } from './graphs.js';

interface Scenario {
  readonly graph: Graph;
  readonly ends: Readonly<Record<string, StepStatus>>;
}

const common = ['all_success', 'all_success', 'always'] as const;

const oneStep = fc.record({
  upstream: fc.array(fc.nat(), { maxLength: 4 }),
  // The usual rule more often, and the one that goes round a failed setup.
  rule: fc.constantFrom(...triggerRules, ...common, ...common, ...common),
  role: fc.constantFrom('work', 'work', 'work', 'setup', 'teardown'),
  ends: fc.constantFrom<StepStatus>('success', 'success', 'failed', 'skipped'),
});

/** Graphs of all shapes, with setups and teardowns in them, and an end for every step. */
const scenarios: fc.Arbitrary<Scenario> = fc.array(oneStep, { minLength: 1, maxLength: 14 }).map((specs) => {
  const steps: Step[] = [];
  for (const [index, { upstream, rule, role }] of specs.entries()) {
    const before = [...new Set(upstream.flatMap((pick) => (index === 0 ? [] : [`s${pick % index}`])))];
    const setups = before.filter((id) => steps.find((step) => step.id === id)?.setup === true);
    const teardown = role === 'teardown' && setups.length > 0;
    steps.push(
      stepOf(`s${index}`, before, {
        triggerRule: setups.length > 0 ? 'all_success' : rule,
        ...(teardown ? { teardownOf: setups } : role === 'setup' ? { setup: true } : {}),
      }),
    );
  }
  const open = new Set<string>();
  const graph = graphOf(...withScopes('random', steps, open));
  return { graph, ends: Object.fromEntries(specs.map(({ ends }, index) => [`s${index}`, ends])) };
});

const orders = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });

const pickBy = (order: readonly number[]): (() => number) => {
  let turn = 0;
  return () => order[turn++ % order.length] ?? 0;
};

test('no step runs or ends twice, none is forgotten, and every run ends', () => {
  fc.assert(
    fc.property(scenarios, orders, ({ graph, ends }, order) => {
      checkGraph(graph);
      const planner = createPlanner(graph);
      const { state, started, settlements } = play(planner, graph, { ends, pick: pickBy(order) });
      expect(new Set(started).size).toBe(started.length);
      expect(graph.steps.map(({ id }) => settlements.get(id))).toEqual(graph.steps.map(() => 1));
      expect(planner.result(state)).toBeDefined();
    }),
    { numRuns: 500 },
  );
});

test('the order in which steps end changes neither how each ends nor the result', () => {
  fc.assert(
    fc.property(scenarios, orders, orders, ({ graph, ends }, one, other) => {
      const planner = createPlanner(graph);
      const left = play(planner, graph, { ends, pick: pickBy(one) });
      const right = play(planner, graph, { ends, pick: pickBy(other) });
      expect(left.statuses).toEqual(right.statuses);
      expect(planner.result(left.state)).toEqual(planner.result(right.state));
    }),
    { numRuns: 500 },
  );
});

test('every step ends as its rule says about how its upstream ended', () => {
  fc.assert(
    fc.property(scenarios, orders, ({ graph, ends }, order) => {
      const { statuses, started } = play(createPlanner(graph), graph, { ends, pick: pickBy(order) });
      const isTeardown = new Set(graph.steps.filter((step) => step.teardownOf !== undefined).map(({ id }) => id));
      for (const step of graph.steps) {
        if (step.teardownOf !== undefined || step.requires !== undefined) continue;
        const upstream = step.upstream.map((id) =>
          isTeardown.has(id) && statuses[id] === 'failed' ? 'success' : statuses[id],
        );
        const count = (status: StepStatus): number => upstream.filter((each) => each === status).length;
        const verdict = judgeTriggerRule(step.triggerRule, {
          upstream: upstream.length,
          success: count('success'),
          skipped: count('skipped'),
          failed: count('failed'),
          upstreamFailed: count('upstream_failed'),
        });
        expect(started.includes(step.id) ? 'start' : statuses[step.id]).toBe(verdict);
      }
    }),
    { numRuns: 500 },
  );
});

test('a teardown runs exactly where a setup of it succeeded, cancelled or not; a cancelled run starts nothing else', () => {
  fc.assert(
    fc.property(scenarios, orders, fc.nat({ max: 20 }), ({ graph, ends }, order, cancelAfter) => {
      const planner = createPlanner(graph);
      const played = play(planner, graph, { ends, pick: pickBy(order), cancelAfter });
      expect(planner.result(played.state)).toBeDefined();
      for (const step of graph.steps) {
        if (step.teardownOf === undefined) {
          expect(played.startedAfterCancel).not.toContain(step.id);
          continue;
        }
        const wasSetUp = step.teardownOf.some((setup) => played.statuses[setup] === 'success');
        expect(played.started.includes(step.id)).toBe(wasSetUp);
      }
    }),
    { numRuns: 500 },
  );
});

/** Whether a way leads from one step to another. */
const leadsTo = (graph: Graph, from: string, to: string): boolean =>
  from === to ||
  graph.steps.some(({ id, upstream }) => id === to && upstream.some((before) => leadsTo(graph, from, before)));

test('what lies between a setup and its teardowns does not run unless the setup succeeded, `always` excepted', () => {
  fc.assert(
    fc.property(scenarios, orders, ({ graph, ends }, order) => {
      const { statuses, started } = play(createPlanner(graph), graph, { ends, pick: pickBy(order) });
      const startedSteps = graph.steps.filter(({ id }) => started.includes(id));
      for (const setup of graph.steps.filter((step) => step.setup === true && statuses[step.id] !== 'success')) {
        const teardowns = graph.steps.filter((step) => step.teardownOf?.includes(setup.id));
        const between = startedSteps.filter(
          ({ id, teardownOf, triggerRule }) =>
            id !== setup.id &&
            teardownOf === undefined &&
            triggerRule !== 'always' &&
            leadsTo(graph, setup.id, id) &&
            (teardowns.length === 0 || teardowns.some((teardown) => leadsTo(graph, id, teardown.id))),
        );
        expect(between.map(({ id }) => id)).toEqual([]);
      }
    }),
    { numRuns: 1_500 },
  );
});
