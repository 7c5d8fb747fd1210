// What a nightly run compares to tell that there is nothing to train.

import { beforeEach, describe, expect, test } from 'vitest';
import { detectChange } from '../../activities/detect-change.js';
import { settingsDigest } from '../../activities/model-settings.js';
import { register } from '../../activities/register.js';
import { modelFile } from '../../activities/schemas/model-settings.js';
import { firstPromotion } from '../../systems/endpoint/transitions.js';
import { atLeast } from '../../stats/gate.js';
import { memorySystems, type MemorySystems } from '../../testing/memory-systems.js';
import { runTask } from '../../testing/run-task.js';

const file = {
  name: 'router',
  owner: 'team-a',
  data: { source: 's3://lake/docs/' },
  train: { base: 's3://models/small/', timeLimitMs: 60_000 },
  gate: [atLeast('exactMatch', 0.5)],
  serve: { command: ['serve', '{model}', '--port', '{port}'], probe: { path: '/v1/completions', bodies: ['{}'] } },
};
const fast = { ...file.serve, command: ['serve', '{model}', '--fast'] };
const digest = (changes: object = {}): string => settingsDigest(modelFile.parse({ ...file, ...changes }));

describe('the digest of settings', () => {
  test('does not change with where a job runs and how long it may take', () => {
    const train = { ...file.train, timeLimitMs: 120_000, hostGraceMs: 5_000, compute: 'gpu', wants: { gpus: 1 } };
    expect(digest({ train, evaluate: { compute: 'gpu', stallMs: 1_000 } })).toBe(digest());
  });

  test.each([
    ['what is learnt from', { data: { source: 's3://lake/others/' } }],
    ['how it is learnt', { train: { ...file.train, recipe: { kind: 'lora', rank: 2 } } }],
    ['what a program is given', { train: { ...file.train, environment: ['FLAG'] } }],
    ['how it is judged', { evaluate: { slices: ['language'] }, data: { ...file.data, slices: ['language'] } }],
    ['how it is served', { serve: fast }],
  ])('changes with %s', (_what, changes) => {
    expect(digest(changes)).not.toBe(digest());
  });
});

describe('the same artifact', () => {
  let systems: MemorySystems;
  const artifact = { uri: 's3://pawl/models/router/artifacts/a/', digest: 'a'.repeat(64), sizeBytes: 1 };
  const dataset = (letter: string) => ({
    id: letter.repeat(64),
    uri: `s3://pawl/datasets/router/${letter.repeat(64)}/`,
    rows: { train: 1, validation: 1, test: 1 },
  });
  const registered = (settings: string, data = 'd', serve = file.serve) =>
    runTask(
      register,
      {
        ...{ model: 'router', owner: 'team-a', artifact, dataset: dataset(data), settingsDigest: settings },
        report: { datasetId: data, metrics: {}, slices: {}, champion: null, examplesUri: '' },
        verdict: { passed: true, outcome: 'accepted', rules: [], summary: 'fine' },
        serve,
      },
      { systems },
    );
  const changed = async (settings: string, data = 'd') =>
    (
      await runTask(
        detectChange,
        { model: 'router', dataset: dataset(data), settingsDigest: settings, force: false },
        { systems },
      )
    ).outcome;

  beforeEach(async () => {
    systems = memorySystems();
    await registered('s1');
    const act = { operationId: 'first', by: 'test', reason: 'the first', at: new Date().toISOString() };
    const first = firstPromotion(null, act, { environment: 'test', model: 'router', version: 1, leaseMs: 1_000 });
    if (first.allowed) await systems.endpoints.write('router', first.next, null);
  });

  test('under other settings, or from other data, is trained once and then found unchanged', async () => {
    expect(await changed('s1')).toBe('unchanged');
    expect(await changed('s2')).toBe('changed');
    expect(await registered('s2')).toMatchObject({ version: 1 });
    expect(await changed('s2')).toBe('unchanged');
    expect(await changed('s2', 'e')).toBe('changed');
    await registered('s2', 'e');
    expect(await changed('s2', 'e')).toBe('unchanged');
  });

  test('that is served otherwise is another version', async () => {
    expect(await registered('s2', 'd', fast)).toMatchObject({ version: 2 });
  });
});
