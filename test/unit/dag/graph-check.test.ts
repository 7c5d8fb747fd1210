import { expect, test } from 'vitest';

import { checkGraph, sortSteps } from '../../../dag/graph-check.js';
import { graphOf, stepOf } from './graphs.js';

test('steps that wait for each other are named in a circle', () => {
  const steps = [
    stepOf('free'),
    stepOf('a', ['c', 'free']),
    stepOf('b', ['a']),
    stepOf('c', ['b']),
    stepOf('d', ['c']),
  ];
  expect(() => sortSteps('round', steps)).toThrow(
    /^DAG round: these steps wait for each other: (a → b → c → a|b → c → a → b|c → a → b → c)$/,
  );
  expect(() => sortSteps('round', [stepOf('a', ['a'])])).toThrow('DAG round: these steps wait for each other: a → a');
});

test('sorting puts every step after its upstream and keeps the order otherwise', () => {
  const steps = [stepOf('z', ['m']), stepOf('b'), stepOf('m', ['b']), stepOf('a')];
  expect(sortSteps('any', steps).map(({ id }) => id)).toEqual(['b', 'a', 'm', 'z']);
});

test.each([
  ['two steps have the id a', [stepOf('a'), stepOf('a')]],
  ['step b waits for x, which no step before it is', [stepOf('b', ['x'])]],
  ['step b waits for c, which no step before it is', [stepOf('b', ['c']), stepOf('c')]],
  ['the step id "a b" cannot be used', [stepOf('a b')]],
  ['step t is the teardown of s, which is not a setup', [stepOf('s'), stepOf('t', ['s'], { teardownOf: ['s'] })]],
  ['step t does not wait for its setup s', [stepOf('s', [], { setup: true }), stepOf('t', [], { teardownOf: ['s'] })]],
  [
    'its 5001 steps come to 5001 activities (three for a job), and 5000 are the most',
    Array.from({ length: 5_001 }, (_, index) => stepOf(`s${index}`)),
  ],
  [
    'its 1667 steps come to 5001 activities (three for a job), and 5000 are the most',
    Array.from({ length: 1_667 }, (_, index) => ({ ...stepOf(`s${index}`), kind: 'job' as const })),
  ],
])('a graph that the planner cannot walk is refused: %s', (message, steps) => {
  expect(() => checkGraph(graphOf(...steps))).toThrow(`DAG by-hand: ${message}`);
});
