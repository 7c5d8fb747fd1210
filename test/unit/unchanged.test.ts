// What a nightly run compares to tell that there is nothing to train.

import { beforeEach, describe, expect, test } from 'vitest';
import { detectChange } from '../../activities/detect-change.js';
import { settingsDigest } from '../../activities/model-settings.js';
import { register } from '../../activities/register.js';
import { modelFile } from '../../activities/schemas/model-settings.js';
import {
  endTrial,
  fence,
  firstPromotion,
  nameChallenger,
  rollBack,
  type Transition,
} from '../../systems/endpoint/transitions.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
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
  const change = (settings: string, data = 'd', force = false) =>
    runTask(detectChange, { model: 'router', dataset: dataset(data), settingsDigest: settings, force }, { systems });
  const changed = async (settings: string, data = 'd', force = false) => (await change(settings, data, force)).outcome;
  const act = (operationId: string) => ({
    operationId,
    by: 'ada',
    reason: 'answers in French',
    at: '2026-11-21T09:00:00Z',
  });
  const move = async (decide: (state: EndpointState | null) => Transition): Promise<void> => {
    const found = (await systems.endpoints.read('router')) ?? null;
    const moved = decide(found?.state ?? null);
    if (!moved.allowed) throw new Error(moved.refusal);
    await systems.endpoints.write('router', moved.next, found);
  };

  beforeEach(async () => {
    systems = memorySystems();
    await registered('s1');
    await move((state) =>
      firstPromotion(state, act('first'), { environment: 'test', model: 'router', version: 1, leaseMs: 1_000 }),
    );
  });

  test('that was rolled back is not trained and rolled out again, unless it is forced', async () => {
    expect(await registered('s2', 'e', fast)).toMatchObject({ version: 2 });
    expect(await changed('s2', 'e')).toBe('changed');
    await move((state) => rollBack(state, act('forth'), { toVersion: 2 }));
    await move((state) => rollBack(state, act('back'), { toVersion: 1 }));
    expect(await change('s2', 'e')).toMatchObject({
      outcome: 'unchanged',
      explanation: expect.stringMatching(/^version 2 .* taken back by ada on 2026-11-21: answers in French/),
    });
    expect(await changed('s2', 'e', true)).toBe('changed');
    expect(await changed('s3', 'e')).toBe('changed');
  });

  test('that was taken back and is known no more keeps no run from training, nor one that the champion explains', async () => {
    await move((state) => (state === null ? expect.fail('no endpoint') : fence(state, act('gone'), 9)));
    expect(await changed('s2', 'e')).toBe('changed');
    expect(await change('s1')).toMatchObject({
      outcome: 'unchanged',
      explanation: expect.stringContaining('the champion'),
    });
  });

  test('whose trial ended for reasons that are not its own is tried again', async () => {
    await registered('s2', 'e', fast);
    await move((state) => nameChallenger(state, act('trial'), { version: 2, trial: 't' }));
    await move((state) => endTrial(state, act('end'), { trial: 't', kind: 'expire' }));
    expect(await changed('s2', 'e')).toBe('changed');
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
