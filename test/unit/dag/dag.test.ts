import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { StepFunction, StepOptions } from '../../../dag/builder.js';
import { all, any, equals, isTrue, not } from '../../../dag/condition.js';
import { dag } from '../../../dag/dag.js';
import type { Step, TriggerRule } from '../../../dag/graph.js';
import type { Reference } from '../../../dag/reference.js';
import type { OutputOf } from '../../../dag/task.js';
import { workflowTask } from '../../../dag/task.js';
import { firstOf } from '../../../dag/wiring.js';
import { named, taskWith } from './tasks.js';

const params = z.object({ model: z.string(), rows: z.number().default(1), tags: z.array(z.string()).default([]) });
const load = named('load');
const train = named('train');
const clean = named('clean');
type LoadReference = Reference<OutputOf<typeof load>>;

/** Builds a DAG of what `wire` does with `step`. */
const built = (wire: (step: StepFunction) => void) =>
  dag({ name: 'ways', params }, ({ step }) => {
    wire(step);
    return null;
  });

const stepNamed = (steps: readonly Step[], id: string): Step => {
  const found = steps.find((step) => step.id === id);
  if (found === undefined) throw new Error(`no step ${id}`);
  return found;
};

describe('building a DAG', () => {
  test('infers what waits for what from the references', () => {
    const { graph } = dag({ name: 'infers', params }, ({ params, run, step }) => {
      const loaded = step(load, { value: { from: params.model, on: run.logicalDate, tag: params.tags[0] } });
      const trained = step(train, { value: [loaded.rows[0].n, 3, { ok: loaded.ok }] });
      return { id: trained.id, model: params.model, done: true };
    });
    expect(graph.steps.map(({ id, upstream }) => [id, upstream])).toEqual([
      ['load', []],
      ['train', ['load']],
    ]);
    expect(stepNamed(graph.steps, 'load').input).toEqual({
      kind: 'object',
      fields: {
        value: {
          kind: 'object',
          fields: {
            from: { kind: 'reference', path: ['params', 'model'] },
            on: { kind: 'reference', path: ['run', 'logicalDate'] },
            tag: { kind: 'reference', path: ['params', 'tags', 0] },
          },
        },
      },
    });
    expect(stepNamed(graph.steps, 'train').input).toEqual({
      kind: 'object',
      fields: {
        value: {
          kind: 'list',
          items: [
            { kind: 'reference', path: ['steps', 'load', 'rows', 0, 'n'] },
            { kind: 'literal', value: 3 },
            { kind: 'object', fields: { ok: { kind: 'reference', path: ['steps', 'load', 'ok'] } } },
          ],
        },
      },
    });
    expect(graph.output).toEqual({
      kind: 'object',
      fields: {
        id: { kind: 'reference', path: ['steps', 'train', 'id'] },
        model: { kind: 'reference', path: ['params', 'model'] },
        done: { kind: 'literal', value: true },
      },
    });
  });

  test('keeps an input without references as one literal, and leaves out what is undefined', () => {
    const { graph } = built((step) => step(load, { value: { a: [1, { b: null }], c: undefined as unknown as null } }));
    expect(graph.steps[0]?.input).toEqual({ kind: 'literal', value: { value: { a: [1, { b: null }] } } });
  });

  test('waits for the steps in conditions, in firstOf and in after', () => {
    const { graph } = built((step) => {
      const a = step(load, {}, { id: 'a' });
      const b = step(load, {}, { id: 'b' });
      const c = step(load, {}, { id: 'c' });
      const d = step(load, {}, { id: 'd' });
      step(
        train,
        { value: firstOf(a.id, b.id, 'none') },
        { when: all(isTrue(c.ok), not(any(equals(c.id, 'x')))), after: d },
      );
    });
    const step = stepNamed(graph.steps, 'train');
    expect([...step.upstream].sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(step.when).toEqual({
      kind: 'all',
      of: [
        { kind: 'isTrue', of: { kind: 'reference', path: ['steps', 'c', 'ok'] } },
        {
          kind: 'not',
          of: {
            kind: 'any',
            of: [
              {
                kind: 'equals',
                left: { kind: 'reference', path: ['steps', 'c', 'id'] },
                right: { kind: 'literal', value: 'x' },
              },
            ],
          },
        },
      ],
    });
  });

  test('gives the same graph and digest each time, and another one for another wiring', () => {
    const build = (rows: number) =>
      dag({ name: 'same', params }, ({ params, step }) => ({ id: step(load, { value: [params.model, rows] }).id }));
    expect(build(1).graph).toEqual(build(1).graph);
    expect(build(1).graph.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(build(2).graph.digest).not.toBe(build(1).graph.digest);
  });

  test('names the tasks that a worker needs, each once', () => {
    const { tasks } = built((step) => {
      step(load, {}, { id: 'one' });
      step(load, {}, { id: 'two' });
      step(train, {});
    });
    expect(tasks).toEqual([load, train]);
  });

  test('takes limits from the task, then from the step', () => {
    const { graph } = built((step) => {
      step(load, {}, { timeout: '2h', retry: { attempts: 7 }, taskQueue: 'gpu', heartbeat: 5_000 });
      step(train, {}, { deadline: '10m' });
    });
    expect(stepNamed(graph.steps, 'load')).toMatchObject({
      timeoutMs: 7_200_000,
      deadlineMs: 86_400_000,
      heartbeatMs: 5_000,
      retry: { attempts: 7, firstDelayMs: 1_000, maxDelayMs: 60_000 },
      taskQueue: 'gpu',
    });
    expect(stepNamed(graph.steps, 'train')).toMatchObject({ timeoutMs: 600_000, deadlineMs: 600_000 });
  });

  test('keeps the workflow type of a step that is a workflow', () => {
    const deploy = workflowTask({
      name: 'canary-deploy',
      version: '1',
      input: z.object({}),
      output: z.object({}),
      workflowType: 'rollout',
    });
    const { graph } = built((step) => step(deploy, {}));
    expect(graph.steps[0]).toMatchObject({ kind: 'workflow', workflowType: 'rollout' });
  });

  test('resolves to the bare parameters unless told otherwise', async () => {
    const bare = built((step) => step(load, {}));
    const context = { systems: {}, models: new Map(), logicalDate: '2026-01-01T00:00:00Z', environment: 'dev' };
    const given = { model: 'm', rows: 1, tags: [] };
    await expect(bare.resolve(given, context as never)).resolves.toBe(given);
    const full = dag({ name: 'full', params, resolve: ({ model }) => ({ model, extra: 1 }) }, ({ params, step }) => {
      step(load, { value: params.extra });
      return null;
    });
    await expect(full.resolve(given, context as never)).resolves.toEqual({ model: 'm', extra: 1 });
  });
});

describe('a mistake while building is one sentence:', () => {
  const sentence = (wire: (step: StepFunction) => void): string => {
    try {
      built(wire);
    } catch (error) {
      if (error instanceof Error) return error.message;
    }
    return 'nothing was thrown';
  };

  test('two steps with one id', () => {
    expect(sentence((step) => [step(load, {}), step(load, {})])).toBe(
      'DAG ways, step load: another step has this id; give one of them an id of its own: step(task, input, { id })',
    );
  });

  test('a reference from another DAG', () => {
    let foreign = undefined as unknown as LoadReference;
    dag({ name: 'other', params }, ({ step }) => {
      foreign = step(load, {});
      return null;
    });
    expect(sentence((step) => step(train, { value: { deep: [foreign.id] } }))).toBe(
      "DAG ways, step train: its input.value.deep[0] refers to steps.load.id of another DAG (other): use only references from the builder's own argument",
    );
    expect(sentence((step) => step(train, {}, { after: foreign }))).toContain('names step load of another DAG (other)');
    expect(sentence((step) => step(train, {}, { when: isTrue(foreign.ok) }))).toContain(
      'its condition refers to steps.load.ok of another DAG',
    );
  });

  test('a step added when the DAG is built', () => {
    let late = undefined as unknown as StepFunction;
    built((step) => {
      late = step;
      step(load, {});
    });
    expect(() => late(train, {})).toThrow('DAG ways, step train was added after the DAG was built');
  });

  test.each([
    ['', 'it is empty'],
    ['a/b', 'the name becomes a workflow id and an S3 key'],
    ['a..b', 'the name becomes a workflow id and an S3 key'],
    ['.hidden', 'the name becomes a workflow id and an S3 key'],
    ['tränen', 'the name becomes a workflow id and an S3 key'],
    ['line\nbreak', 'the name becomes a workflow id and an S3 key'],
    ['x'.repeat(101), 'it has 101 characters, and 100 are the most'],
    ['params', 'it leads the path of references'],
    ['constructor', 'JavaScript has a meaning of its own for it'],
  ])('a step id that cannot be had: %j', (id, reason) => {
    expect(sentence((step) => step(load, {}, { id }))).toContain(reason);
  });

  test('a DAG or task with a name of Pawl itself', () => {
    expect(() => dag({ name: 'rollout', params }, () => null)).toThrow(
      'the DAG name "rollout" cannot be used: a workflow of Pawl itself has it',
    );
    expect(() => named('dag-run')).toThrow('the task name "dag-run" cannot be used');
  });

  test('a DAG without steps, and an async builder', () => {
    expect(sentence(() => undefined)).toBe('DAG ways has no steps: call step() in its builder');
    expect(() => dag({ name: 'late', params }, (async () => null) as unknown as () => null)).toThrow(
      'DAG late: its builder is async',
    );
  });

  test('two tasks of one name, and a task with the DAG’s name', () => {
    expect(sentence((step) => [step(load, {}), step(named('load'), {}, { id: 'again' })])).toContain(
      'another task of this DAG is named load too',
    );
    expect(sentence((step) => step(named('ways'), {}, { id: 'self' }))).toContain("its task has the DAG's own name");
  });

  test('what JSON cannot hold', () => {
    const values: readonly [unknown, string][] = [
      [new Date(0), 'a Date'],
      [() => 1, 'a function'],
      [NaN, 'NaN'],
      [10n, '10n'],
      [new Map(), 'a Map'],
    ];
    for (const [value, what] of values) {
      expect(sentence((step) => step(load, { value: { at: value } as never }))).toBe(
        `DAG ways, step load: its input.value.at is ${what}, which JSON cannot hold: give plain data or a reference`,
      );
    }
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(sentence((step) => step(load, { value: circle as never }))).toContain('contains itself');
  });

  test('after something that is no step', () => {
    const after = (value: unknown): StepOptions => ({ after: value }) as StepOptions;
    expect(sentence((step) => step(load, {}, after(['extract'])))).toContain('give what step() returned');
    expect(() =>
      dag({ name: 'ways', params }, ({ params, step }) => {
        step(load, {}, { after: params.model });
        return null;
      }),
    ).toThrow('DAG ways, step load: after names params.model: give what step() returned');
  });

  test('a trigger rule that is none, and a duration that is none', () => {
    expect(sentence((step) => step(load, {}, { triggerRule: 'sometimes' as TriggerRule }))).toContain(
      'DAG ways, step load: sometimes is not a trigger rule; those are all_success',
    );
    expect(sentence((step) => step(load, {}, { timeout: '5 parsecs' as never }))).toContain(
      'DAG ways, step load: timeout: "5 parsecs" is not a duration',
    );
    expect(sentence((step) => step(load, {}, { timeout: '2h', deadline: '1h' }))).toContain(
      'the time-out of one attempt (7200000 ms) is longer than the deadline of all (3600000 ms)',
    );
    expect(sentence((step) => step(load, {}, { retry: { attempts: 0 } }))).toContain('retry.attempts is 0');
  });

  test('a schema that JSON cannot carry', () => {
    expect(() => taskWith('dated', z.object({ at: z.date() }), z.object({}))).toThrow(
      "task dated: its input must be plain JSON, since it is kept in the run's history",
    );
    expect(() => dag({ name: 'dated', params: z.object({ at: z.date() }) }, () => null)).toThrow(
      'DAG dated: its params must be plain JSON',
    );
  });
});

describe('setup and teardown', () => {
  test('a teardown waits for all that comes after its setup, also what is wired later', () => {
    const { graph } = built((step) => {
      const setup = step(load, {}, { id: 'create', setup: true });
      step(clean, { value: setup.id }, { id: 'delete', teardownOf: setup });
      const work = step(train, { value: setup.id }, { id: 'work' });
      step(train, { value: work.id }, { id: 'more' });
      step(train, {}, { id: 'elsewhere' });
    });
    expect(graph.steps.map(({ id }) => id).indexOf('delete')).toBeGreaterThan(
      graph.steps.map(({ id }) => id).indexOf('more'),
    );
    expect(stepNamed(graph.steps, 'delete')).toMatchObject({
      upstream: ['create', 'work', 'more'],
      teardownOf: ['create'],
    });
  });

  test('a teardown that says what it comes after waits for that only', () => {
    const { graph } = built((step) => {
      const setup = step(load, {}, { id: 'create', setup: true });
      const work = step(train, { value: setup.id }, { id: 'work' });
      step(train, { value: work.id }, { id: 'more' });
      step(clean, {}, { id: 'delete', teardownOf: [setup], after: [work] });
    });
    expect(stepNamed(graph.steps, 'delete').upstream).toEqual(['work', 'create']);
  });

  test('what follows a teardown is not waited for by it', () => {
    const { graph } = built((step) => {
      const setup = step(load, {}, { id: 'create', setup: true });
      const work = step(train, { value: setup.id }, { id: 'work' });
      const removed = step(clean, {}, { id: 'delete', teardownOf: setup });
      step(train, { value: work.id }, { id: 'report', after: removed });
    });
    expect(stepNamed(graph.steps, 'delete').upstream).toEqual(['create', 'work']);
  });

  test('a step in between that could run without its setup requires it; one outside does not', () => {
    const { graph } = built((step) => {
      const setup = step(load, {}, { id: 'create', setup: true });
      const work = step(train, { value: setup.id }, { id: 'work' });
      const always = step(train, {}, { id: 'always-report', after: work, triggerRule: 'all_done' });
      step(clean, {}, { id: 'delete', teardownOf: setup, after: always });
      step(train, {}, { id: 'outside', after: always, triggerRule: 'all_done' });
    });
    expect(stepNamed(graph.steps, 'always-report').requires).toEqual(['create']);
    expect(stepNamed(graph.steps, 'outside').requires).toBeUndefined();
  });

  test('a step behind one that runs without the setup requires it too, whatever its own rule', () => {
    const { graph } = built((step) => {
      const setup = step(load, {}, { id: 'create', setup: true });
      const work = step(train, { value: setup.id }, { id: 'work' });
      const always = step(train, {}, { id: 'report', after: work, triggerRule: 'always' });
      const behind = step(train, {}, { id: 'behind', after: always });
      step(clean, {}, { id: 'delete', teardownOf: setup, after: behind });
    });
    const requires = Object.fromEntries(graph.steps.map((step) => [step.id, step.requires]));
    expect(requires).toMatchObject({ behind: ['create'], report: undefined, work: undefined });
  });

  test('a step behind the teardown of another setup requires the one whose scope it still lies in', () => {
    const { graph } = built((step) => {
      const outer = step(load, {}, { id: 'outer', setup: true });
      const inner = step(load, {}, { id: 'inner', setup: true });
      const work = step(train, {}, { id: 'work', after: [outer, inner] });
      const innerDown = step(clean, {}, { id: 'inner-down', teardownOf: inner, after: work });
      const next = step(train, {}, { id: 'next', after: innerDown });
      step(clean, {}, { id: 'outer-down', teardownOf: outer, after: next });
    });
    expect(stepNamed(graph.steps, 'next').requires).toEqual(['outer']);
  });

  test('mistakes are one sentence', () => {
    const wrong = (options: (setup: LoadReference) => StepOptions) =>
      built((step) => {
        const setup = step(load, {}, { id: 'create', setup: true });
        step(clean, {}, { id: 'delete', ...options(setup) });
      });
    expect(() => wrong((setup) => ({ teardownOf: setup, triggerRule: 'all_done' }))).toThrow(
      'is a teardown, which has a trigger rule of its own',
    );
    expect(() => wrong((setup) => ({ after: setup, triggerRule: 'all_done' }))).toThrow(
      'DAG ways, step delete comes right after the setup create, so its trigger rule must be all_success, not all_done',
    );
    expect(() => wrong((setup) => ({ after: setup, triggerRule: 'always' }))).toThrow(
      'must be all_success, not always',
    );
    expect(() =>
      built((step) => {
        const work = step(load, {});
        step(clean, {}, { teardownOf: work });
      }),
    ).toThrow('DAG ways, step clean is the teardown of load, which is not a setup: give that step { setup: true }');
  });
});
