// Wrong wiring must not compile, and what is wired carries its type to the other end.

import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

import { equals, isTrue, not } from '../../dag/condition.js';
import type { DagOutputOf, DagParamsOf } from '../../dag/dag.js';
import { dag } from '../../dag/dag.js';
import type { Reference, Wired } from '../../dag/reference.js';
import type { AloneParamsOf, Task } from '../../dag/task.js';
import { jobTask, task } from '../../dag/task.js';
import { firstOf } from '../../dag/wiring.js';

const document = z.object({ uri: z.string(), rows: z.number().int() });

const load = task({
  name: 'load',
  version: '1',
  input: z.object({ source: z.string(), limit: z.number().int().default(10), note: z.string().optional() }),
  output: z.object({
    documents: z.array(document),
    first: document.nullable(),
    label: z.string().optional(),
    clean: z.boolean(),
    mode: z.enum(['full', 'delta']),
    metrics: z.record(z.string(), z.number()),
  }),
  run: async ({ source, limit, note }) => {
    expectTypeOf(source).toEqualTypeOf<string>();
    expectTypeOf(limit).toEqualTypeOf<number>();
    expectTypeOf(note).toEqualTypeOf<string | undefined>();
    return { documents: [], first: null, clean: true, mode: 'full' as const, metrics: {} };
  },
});

const count = task({
  name: 'count',
  version: '1',
  input: z.object({ documents: z.array(document), factor: z.number() }),
  output: z.object({ total: z.number() }),
  run: ({ documents, factor }) => ({ total: documents.length * factor }),
});

const params = z.object({ source: z.string(), factor: z.number().default(2), tags: z.array(z.string()) });

describe('references', () => {
  test('into a tuple know each place of it, and no other', () => {
    const pairs = task({
      name: 'pairs',
      version: '1',
      input: z.object({ source: z.string(), factor: z.number() }),
      output: z.object({
        pair: z.tuple([z.string(), z.number()]),
        maybe: z.tuple([z.string(), z.boolean()]).nullable(),
        more: z.tuple([z.string()], z.number()),
      }),
      run: () => ({ pair: ['a', 1] as [string, number], maybe: null, more: ['a', 1] as [string, ...number[]] }),
    });
    dag({ name: 'types', params }, ({ params, step }) => {
      const { pair, maybe, more } = step(pairs, { source: params.source, factor: params.factor });
      expectTypeOf(pair[0]).toEqualTypeOf<Reference<string>>();
      expectTypeOf(pair[1]).toEqualTypeOf<Reference<number>>();
      expectTypeOf(maybe[1]).toEqualTypeOf<Reference<boolean | undefined>>();
      // Of one that goes on, each place may be of either kind, as of an array.
      expectTypeOf(more[3]).toEqualTypeOf<Reference<string | number>>();
      const out = step(pairs, { source: pair[0], factor: pair[1] }, { id: 'again' });
      // @ts-expect-error a number does not stand where a text is wanted
      step(pairs, { source: out.pair[1], factor: 1 }, { id: 'swapped' });
      // @ts-expect-error there is no such place
      step(pairs, { source: out.pair[7], factor: 1 }, { id: 'beyond' });
      // @ts-expect-error a length is nothing that a run knows by a path
      step(pairs, { source: 'a', factor: out.pair.length }, { id: 'length' });
      return null;
    });
  });

  test('carry the type of what they stand for', () => {
    dag({ name: 'types', params }, ({ params, run, step }) => {
      expectTypeOf(params.source).toEqualTypeOf<Reference<string>>();
      expectTypeOf(params.factor).toEqualTypeOf<Reference<number>>();
      expectTypeOf(params.tags[0]).toEqualTypeOf<Reference<string>>();
      expectTypeOf(run.logicalDate).toEqualTypeOf<Reference<string>>();
      const loaded = step(load, { source: params.source });
      expectTypeOf(loaded.documents[0].rows).toEqualTypeOf<Reference<number>>();
      expectTypeOf(loaded.label).toEqualTypeOf<Reference<string | undefined>>();
      expectTypeOf(loaded.first).toExtend<Reference<{ uri: string; rows: number } | null>>();
      expectTypeOf(loaded.first.uri).toEqualTypeOf<Reference<string | undefined>>();
      return null;
    });
  });

  test('fit where their value fits, whole or in parts, beside literals', () => {
    dag({ name: 'types', params }, ({ params, step }) => {
      const loaded = step(load, { source: params.source, limit: 5, note: loadedNote(params.source) });
      step(count, { documents: loaded.documents, factor: params.factor }, { id: 'a' });
      step(count, { documents: [loaded.documents[0], { uri: params.source, rows: 1 }], factor: 1 }, { id: 'b' });
      step(count, { documents: [], factor: loaded.metrics['speed']! }, { id: 'c' });
      const whole: Wired<z.input<typeof count.input>> = step(
        task({
          name: 'make',
          version: '1',
          input: z.object({}),
          output: count.input,
          run: () => ({ documents: [], factor: 1 }),
        }),
        {},
      );
      step(count, whole, { id: 'd', after: [loaded], when: not(equals(loaded.mode, 'delta')) });
      step(
        count,
        { documents: [], factor: firstOf(loaded.documents[0].rows, 1) },
        { id: 'e', when: isTrue(loaded.clean) },
      );
      return { whole };
    });
    const loadedNote = (text: Reference<string>) => text;
  });

  test('do not fit where their value does not', () => {
    dag({ name: 'types', params }, ({ params, step }) => {
      const loaded = step(load, { source: params.source });
      // @ts-expect-error a number is not a string
      step(load, { source: params.factor });
      // @ts-expect-error a literal of the wrong type
      step(load, { source: 5 });
      // @ts-expect-error a field that is needed is not there
      step(load, {});
      // @ts-expect-error a field that nobody knows
      step(load, { source: 'a', sources: 'b' });
      // @ts-expect-error there is no such field in the output
      step(load, { source: loaded.uri });
      // @ts-expect-error there is no such parameter
      step(load, { source: params.sauce });
      // @ts-expect-error a list of something else
      step(count, { documents: params.tags, factor: 1 });
      // @ts-expect-error an item of something else
      step(count, { documents: [params.source], factor: 1 });
      // @ts-expect-error what may be null does not fit where nothing may be
      step(count, { documents: [loaded.first], factor: 1 });
      // @ts-expect-error what may be missing does not fit where it is needed
      step(load, { source: loaded.label });
      // @ts-expect-error a placeholder that may be a string
      step(count, { documents: [], factor: firstOf(loaded.documents[0].rows, params.source) });
      return null;
    });
  });

  test('fit into JSON in general, and into types that contain themselves', () => {
    interface Tree {
      label: string;
      children: Tree[];
    }
    const tree: z.ZodType<Tree, Tree> = z.object({ label: z.string(), children: z.lazy(() => z.array(tree)) });
    const grow = task({
      name: 'grow',
      version: '1',
      input: z.object({ tree, json: z.json(), loose: z.unknown() }),
      output: z.object({ tree, json: z.json() }),
      run: ({ tree, json }) => {
        expectTypeOf(json).toExtend<z.core.util.JSONType>();
        return { tree, json };
      },
    });
    dag({ name: 'types', params }, ({ params, run, step }) => {
      const loaded = step(load, { source: params.source });
      const label = params.source;
      const grown = step(grow, {
        tree: { label, children: [{ label: 'b', children: [] }] },
        json: { deep: [{ on: run.logicalDate }, loaded, loaded.documents[0]], number: 1, whole: loaded.first },
        loose: [params.tags, null],
      });
      step(grow, { tree: grown.tree.children[0], json: grown.json, loose: grown }, { id: 'again' });
      // @ts-expect-error a child without a label
      step(grow, { tree: { label: 'a', children: [{ children: [] }] }, json: null, loose: null }, { id: 'wrong' });
      // @ts-expect-error a Date is not JSON
      step(grow, { tree: grown.tree, json: { at: new Date() }, loose: null }, { id: 'wrong' });
      // @ts-expect-error nor is a function
      step(grow, { tree: grown.tree, json: null, loose: () => 1 }, { id: 'wrong' });
      return { grown, json: grown.json };
    });
  });

  test('do not stand for their value in code', () => {
    dag({ name: 'types', params }, ({ params, step }) => {
      const loaded = step(load, { source: params.source });
      // @ts-expect-error a reference is not a number to compute with
      expectTypeOf(params.factor * 1);
      // @ts-expect-error nor has it the methods of its value
      params.source.toUpperCase();
      // @ts-expect-error nor can it be iterated
      for (const item of loaded.documents) void item;
      return null;
    });
  });
});

describe('conditions', () => {
  test('take only what they can judge', () => {
    dag({ name: 'types', params }, ({ params, step }) => {
      const loaded = step(load, { source: params.source });
      // @ts-expect-error isTrue judges booleans
      step(load, { source: 'a' }, { when: isTrue(loaded.mode) });
      // @ts-expect-error the mode is never `none`
      step(load, { source: 'a' }, { when: equals(loaded.mode, 'none') });
      // @ts-expect-error a bare reference is no condition
      step(load, { source: 'a' }, { when: loaded.clean });
      // @ts-expect-error not one of the twelve
      step(load, { source: 'a' }, { triggerRule: 'one_succeeded' });
      // @ts-expect-error not a duration
      step(load, { source: 'a' }, { timeout: '30 minutes' });
      return null;
    });
  });
});

describe('dag', () => {
  test('is typed by its parameters and what its builder returns', () => {
    const _built = dag({ name: 'types', params }, ({ params, step }) => {
      const loaded = step(load, { source: params.source });
      return {
        rows: loaded.documents[0].rows,
        source: params.source,
        mode: firstOf(loaded.mode, 'none'),
        kind: 'done',
      };
    });
    expectTypeOf<DagParamsOf<typeof _built>>().toEqualTypeOf<{
      source: string;
      factor?: number | undefined;
      tags: string[];
    }>();
    expectTypeOf<DagOutputOf<typeof _built>>().toEqualTypeOf<{
      rows: number | null;
      source: string | null;
      mode: 'full' | 'delta' | 'none' | null;
      kind: 'done';
    }>();
  });

  test('may return one reference, or nothing', () => {
    const _whole = dag({ name: 'types', params }, ({ step }) => step(count, { documents: [], factor: 1 }));
    expectTypeOf<DagOutputOf<typeof _whole>>().toEqualTypeOf<{ total: number } | null>();
    const _nothing = dag({ name: 'types', params: z.object({}) }, ({ step }) => {
      step(count, { documents: [], factor: 1 });
    });
    expectTypeOf<DagOutputOf<typeof _nothing>>().toEqualTypeOf<null>();
  });

  test('lets the builder see the resolved parameters', () => {
    dag(
      {
        name: 'types',
        params: z.object({ model: z.string() }),
        resolve: async ({ model }, { models, logicalDate }) => {
          expectTypeOf(models).toEqualTypeOf<ReadonlyMap<string, unknown>>();
          return { model, settings: { rows: models.size, since: logicalDate } };
        },
      },
      ({ params, step }) => {
        expectTypeOf(params.settings.rows).toEqualTypeOf<Reference<number>>();
        // @ts-expect-error not among the resolved parameters
        void params.dryRun;
        step(load, { source: params.settings.since });
        return null;
      },
    );
  });

  test('takes only parameters that are an object', () => {
    // @ts-expect-error a run is started with one JSON object
    dag({ name: 'types', params: z.string() }, () => null);
  });
});

describe('tasks', () => {
  test('must return what their schema says', () => {
    task({
      name: 'wrong',
      version: '1',
      input: z.object({}),
      output: z.object({ total: z.number() }),
      // @ts-expect-error a string is not a number
      run: () => ({ total: '1' }),
    });
  });

  test('of the job kind hand their reference from submit to await and release', () => {
    jobTask({
      name: 'train',
      version: '1',
      input: z.object({ steps: z.number() }),
      output: z.object({ loss: z.number() }),
      submit: async ({ steps }) => ({ host: 'gpu-1', steps }),
      await: async (_, ref) => {
        expectTypeOf(ref).toEqualTypeOf<{ host: string; steps: number }>();
        return { loss: ref.steps };
      },
      release: async (_, ref) => {
        expectTypeOf(ref).toEqualTypeOf<{ host: string; steps: number } | undefined>();
      },
    });
  });

  test('may be started alone by a smaller object', () => {
    const _evaluate = task({
      name: 'evaluate',
      version: '1',
      input: z.object({ uri: z.string(), model: z.string() }),
      output: z.object({ score: z.number() }),
      alone: { params: z.object({ model: z.string() }), resolve: ({ model }) => ({ model, uri: `s3://${model}` }) },
      run: () => ({ score: 1 }),
    });
    expectTypeOf<AloneParamsOf<typeof _evaluate>>().toEqualTypeOf<{ model: string }>();
    expectTypeOf<AloneParamsOf<typeof count>>().toEqualTypeOf<z.input<typeof count.input>>();
    task({
      name: 'evaluate',
      version: '1',
      input: z.object({ uri: z.string() }),
      output: z.object({}),
      // @ts-expect-error the input needs a uri
      alone: { params: z.object({ model: z.string() }), resolve: ({ model }) => ({ model }) },
      run: () => ({}),
    });
  });

  test('can stand in for one another where their schemas agree', () => {
    type Counting = Task<typeof count.input, typeof count.output>;
    const byJob = jobTask({
      name: 'count-remotely',
      version: '1',
      input: count.input,
      output: count.output,
      submit: async () => ({ job: 7 }),
      await: async (_, { job }) => ({ total: job }),
      release: async () => undefined,
    });
    expectTypeOf(count).toExtend<Counting>();
    expectTypeOf(byJob).toExtend<Counting>();
    expectTypeOf(load).not.toExtend<Counting>();
  });
});
