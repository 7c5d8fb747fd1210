import { describe, expect, test } from 'vitest';

import type { Graph, Step } from '../../../dag/graph.js';
import { createPlanner } from '../../../dag/planner.js';
import type { PlayOptions } from './graphs.js';
import { graphOf, play, stepOf } from './graphs.js';

const run = (steps: readonly Step[], options?: PlayOptions) => {
  const graph = graphOf(...steps);
  const planner = createPlanner(graph);
  const played = play(planner, graph, options);
  return { ...played, result: planner.result(played.state) };
};

describe('a run', () => {
  test('starts a step once all that it waits for has succeeded', () => {
    const diamond = [stepOf('a'), stepOf('b', ['a']), stepOf('c', ['a']), stepOf('d', ['b', 'c'])];
    const { started, result } = run(diamond);
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    expect(result).toEqual({ status: 'success', failedSteps: [] });
  });

  test('does not start what comes after a failure, and says which step it was', () => {
    const { started, statuses, reasons, result } = run([stepOf('a'), stepOf('b', ['a']), stepOf('c', ['b'])], {
      ends: { a: 'failed' },
    });
    expect(started).toEqual(['a']);
    expect(statuses).toEqual({ a: 'failed', b: 'upstream_failed', c: 'upstream_failed' });
    expect(reasons).toEqual({
      b: 'step a failed',
      c: 'step b did not run, because a step before it failed',
    });
    expect(result).toEqual({ status: 'failed', failedSteps: ['a'] });
  });

  test('succeeds where the rest was skipped', () => {
    const { statuses, reasons, result } = run(
      [stepOf('gate'), stepOf('register', ['gate']), stepOf('deploy', ['register'])],
      {
        ends: { register: 'skipped' },
      },
    );
    expect(statuses.deploy).toBe('skipped');
    expect(reasons.deploy).toBe('step register was skipped');
    expect(result?.status).toBe('success');
  });

  test('is judged by its leaves, as in Airflow: a failure that was answered is none', () => {
    const answered = [stepOf('work'), stepOf('alert', ['work'], { triggerRule: 'one_failed' })];
    expect(run(answered, { ends: { work: 'failed' } }).result).toEqual({ status: 'success', failedSteps: ['work'] });
    expect(run([...answered, stepOf('next', ['work'])], { ends: { work: 'failed' } }).result?.status).toBe('failed');
  });

  test('starts one_failed at the first failure and not at the last step', () => {
    const graph = graphOf(stepOf('a'), stepOf('b'), stepOf('alert', ['a', 'b'], { triggerRule: 'one_failed' }));
    const planner = createPlanner(graph);
    const state = planner.initial();
    planner.start(state);
    expect(planner.settle(state, 'b', { status: 'failed' })).toEqual([{ kind: 'start', stepId: 'alert' }]);
    expect(planner.settle(state, 'a', { status: 'failed' })).toEqual([]);
  });

  test('says which rule could not be met where no one step is to blame', () => {
    const { reasons } = run([stepOf('a'), stepOf('alert', ['a'], { triggerRule: 'one_failed' })]);
    expect(reasons.alert).toBe('its trigger rule one_failed cannot be met any more');
  });

  test('takes no notice of a step that ends twice', () => {
    const graph = graphOf(stepOf('a'), stepOf('b', ['a']));
    const planner = createPlanner(graph);
    const state = planner.initial();
    planner.start(state);
    expect(planner.settle(state, 'a', { status: 'success' })).toHaveLength(1);
    expect(planner.settle(state, 'a', { status: 'failed' })).toEqual([]);
    expect(planner.statusOf(state, 'a')).toBe('success');
  });

  test('has no result while a step is open', () => {
    const planner = createPlanner(graphOf(stepOf('a')));
    const state = planner.initial();
    planner.start(state);
    expect(planner.result(state)).toBeUndefined();
  });

  test('walks a chain of ten thousand steps without recursion', () => {
    const chain = Array.from({ length: 10_000 }, (_, index) =>
      stepOf(`s${index}`, index === 0 ? [] : [`s${index - 1}`]),
    );
    expect(run(chain).started).toHaveLength(10_000);
    const { statuses } = run(chain, { ends: { s0: 'failed' } });
    expect(statuses.s9999).toBe('upstream_failed');
  });
});

describe('a teardown', () => {
  const cluster: readonly Step[] = [
    stepOf('create', [], { setup: true }),
    stepOf('query', ['create']),
    stepOf('delete', ['create', 'query'], { teardownOf: ['create'], triggerRule: 'all_done' }),
  ];

  test.each(['success', 'failed', 'skipped'] as const)('runs where the work between ended as %s', (status) => {
    expect(run(cluster, { ends: { query: status } }).statuses.delete).toBe('success');
  });

  test('waits for the work between', () => {
    expect(run(cluster).started).toEqual(['create', 'query', 'delete']);
  });

  test('does not run where its setup failed or was skipped', () => {
    expect(run(cluster, { ends: { create: 'failed' } }).statuses.delete).toBe('upstream_failed');
    expect(run(cluster, { ends: { create: 'skipped' } }).statuses.delete).toBe('skipped');
  });

  test('runs where one of two setups succeeded', () => {
    const two = [
      stepOf('one', [], { setup: true }),
      stepOf('two', [], { setup: true }),
      stepOf('clean', ['one', 'two'], { teardownOf: ['one', 'two'] }),
    ];
    expect(run(two, { ends: { one: 'failed' } }).statuses.clean).toBe('success');
  });

  test('that fails does not fail the run, nor what comes after it', () => {
    expect(run(cluster, { ends: { delete: 'failed' } }).result).toEqual({ status: 'success', failedSteps: [] });
    const { statuses, result } = run([...cluster, stepOf('report', ['delete'])], { ends: { delete: 'failed' } });
    expect(statuses.report).toBe('success');
    expect(result?.status).toBe('success');
  });

  test('that succeeds does not hide the failure before it', () => {
    expect(run(cluster, { ends: { query: 'failed' } }).result).toEqual({ status: 'failed', failedSteps: ['query'] });
  });
});

describe('a step that requires a setup further up', () => {
  const scope: readonly Step[] = [
    stepOf('create', [], { setup: true }),
    stepOf('query', ['create']),
    stepOf('report', ['query'], { triggerRule: 'all_done', requires: ['create'] }),
  ];

  test('runs by its own rule where the setup succeeded', () => {
    expect(run(scope, { ends: { query: 'failed' } }).statuses.report).toBe('success');
  });

  test('does not run where the setup failed or was skipped, whatever its rule', () => {
    expect(run(scope, { ends: { create: 'failed' } }).statuses.report).toBe('upstream_failed');
    expect(run(scope, { ends: { create: 'skipped' } }).statuses.report).toBe('skipped');
  });
});

describe('cancelling', () => {
  const steps: readonly Step[] = [
    stepOf('create', [], { setup: true }),
    stepOf('work', ['create']),
    stepOf('next', ['work'], { triggerRule: 'always' }),
    stepOf('delete', ['create', 'work', 'next'], { teardownOf: ['create'] }),
    stepOf('after', ['delete']),
  ];

  test('ends what waits, asks to end what runs, and still tears down', () => {
    const waiting = steps.map((step) => (step.id === 'next' ? { ...step, triggerRule: 'all_success' as const } : step));
    const { statuses, startedAfterCancel, result } = run(waiting, { cancelAfter: 1 });
    expect(statuses).toEqual({
      create: 'success',
      work: 'cancelled',
      next: 'cancelled',
      delete: 'success',
      after: 'cancelled',
    });
    expect(startedAfterCancel).toEqual(['delete']);
    expect(result?.status).toBe('cancelled');
  });

  test('does not tear down what was never set up', () => {
    const { statuses, startedAfterCancel } = run(steps, { cancelAfter: 0 });
    expect(statuses.delete).toBe('cancelled');
    expect(startedAfterCancel).toEqual([]);
  });

  test('leaves a teardown that runs alone', () => {
    const graph: Graph = graphOf(...steps);
    const planner = createPlanner(graph);
    const state = planner.initial();
    planner.start(state);
    for (const id of ['create', 'work', 'next']) planner.settle(state, id, { status: 'success' });
    expect(planner.statusOf(state, 'delete')).toBe('running');
    expect(planner.cancel(state)).toEqual([
      { kind: 'settle', stepId: 'after', status: 'cancelled', reason: 'the run was cancelled' },
    ]);
  });

  test('a second time changes nothing', () => {
    const planner = createPlanner(graphOf(...steps));
    const state = planner.initial();
    planner.start(state);
    expect(planner.cancel(state).length).toBeGreaterThan(0);
    expect(planner.cancel(state)).toEqual([]);
  });

  test('after all work is done leaves the result as it was', () => {
    const graph = graphOf(stepOf('a'));
    const planner = createPlanner(graph);
    const { state } = play(planner, graph);
    planner.cancel(state);
    expect(planner.result(state)?.status).toBe('success');
  });
});
