import { expect, test } from 'vitest';

import { sealGraph } from '../../../dag/digest.js';
import { checkGraph } from '../../../dag/graph-check.js';
import { stopAfter } from '../../../dag/stop-after.js';
import { graphOf, stepOf } from './graphs.js';

const graph = sealGraph(
  graphOf(
    stepOf('create', [], { setup: true }),
    stepOf('features', ['create']),
    stepOf('train', ['features']),
    stepOf('evaluate', ['train', 'features']),
    stepOf('register', ['evaluate']),
    stepOf('inner', ['create', 'register'], { teardownOf: ['create'] }),
    stepOf('delete', ['create', 'register', 'inner', 'features'], { teardownOf: ['create'] }),
    stepOf('elsewhere'),
  ),
);

const idsOf = (...stepIds: string[]) => stopAfter(graph, stepIds).steps.map(({ id }) => id);

test('a run that stops keeps what the step waits for, and the teardowns of the setups among that', () => {
  expect(idsOf('train')).toEqual(['create', 'features', 'train', 'inner', 'delete']);
  expect(idsOf('elsewhere')).toEqual(['elsewhere']);
  expect(idsOf('train', 'elsewhere')).toEqual(['create', 'features', 'train', 'inner', 'delete', 'elsewhere']);
});

test('a teardown that stays waits for what is still there', () => {
  const cut = stopAfter(graph, ['train']);
  expect(cut.steps.find(({ id }) => id === 'delete')?.upstream).toEqual(['create', 'inner', 'features']);
  checkGraph(cut);
});

test('the graph that is cut has a digest of its own, the same each time', () => {
  const cut = stopAfter(graph, ['train']);
  expect(cut.digest).not.toBe(graph.digest);
  expect(cut).toEqual(stopAfter(graph, ['train']));
  expect(sealGraph({ ...cut }).digest).not.toBe('');
});

test('an unknown step is refused with the known ones', () => {
  expect(() => stopAfter(graph, ['gate'])).toThrow(
    'stopAfter: DAG by-hand has no step "gate"; its steps are create, features, train, evaluate, register, inner, delete, elsewhere',
  );
});
