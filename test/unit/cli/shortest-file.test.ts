// Which of a model's settings `pawl plan` shows first.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { modelFile, type ModelFile } from '../../../activities/schemas/model-settings.js';
import { evaluatedWhereTrained } from '../../../activities/schemas/job-places.js';
import { shortestFile } from '../../../cli/shortest-file.js';
import { model } from '../../../pipelines/model.js';
import { atLeast, canary, notWorseThan } from '../../../index.js';

const complete = (file: object): unknown => modelFile.safeParse(evaluatedWhereTrained(file as ModelFile)).data;

test('of a model’s settings what its file said is left, without what says a default once more', () => {
  const file: ModelFile = {
    name: 'router',
    owner: 'team',
    data: { source: 's3://lake/a/', kind: 'records', fields: { prompt: 'q', completion: 'a' }, slices: ['lang'] },
    train: { command: ['node', 'train.mjs'], compute: 'gpu', settings: { epochs: 8 } },
    evaluate: { command: ['node', 'evaluate.mjs'], settings: { slices: ['lang'] } },
    gate: [atLeast('exactMatch', 0.8, { minSamples: 20 }), notWorseThan('champion', 'exactMatch', { by: 0.02 })],
    serve: { command: ['node', 'serve.mjs', '{port}'], probe: { path: '/v1', bodies: ['{}'] } },
    rollout: canary({ weights: [10, 100], minRequests: 50 }),
  };
  const { settings } = model(file);
  const shortest = shortestFile(settings, complete);
  expect(shortest).toMatchObject({
    name: 'router',
    data: { fields: { prompt: 'q', completion: 'a' } },
    gate: [{ minSamples: 20 }, { by: 0.02 }],
    rollout: { weights: [10, 100], minRequests: 50 },
  });
  expect(complete(shortest)).toEqual(settings);
  const words = JSON.stringify(shortest);
  expect(words).not.toContain('nearThreshold');
  expect(words).not.toContain('leaseMs');
  expect(words.length).toBeLessThan(JSON.stringify(settings).length / 2);
});

test('a field that is needed stays, and one that says its default goes', () => {
  const schema = z.strictObject({
    kind: z.enum(['a', 'b']),
    size: z.number().default(3),
    inner: z.object({ x: z.number().default(1), y: z.array(z.number()).default([1]) }).prefault({}),
    rules: z.array(z.object({ name: z.string(), by: z.number().default(0) })),
  });
  const parse = (file: object): unknown => schema.safeParse(file).data;
  const short = (file: z.input<typeof schema>): object => shortestFile(schema.parse(file), parse);
  expect(short({ kind: 'a', size: 3, inner: { x: 1 }, rules: [] })).toEqual({ kind: 'a', rules: [] });
  expect(short({ kind: 'a', inner: { y: [2] }, rules: [{ name: 'r', by: 0 }] })).toEqual({
    kind: 'a',
    inner: { y: [2] },
    rules: [{ name: 'r' }],
  });
});
