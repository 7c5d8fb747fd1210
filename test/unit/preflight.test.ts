// What preflight refuses for good, what it waits for, and what it only says.

import { beforeEach, describe, expect, test, vi } from 'vitest';
import { preflight } from '../../activities/preflight.js';
import type { ModelFile } from '../../activities/schemas/model-settings.js';
import { model } from '../../pipelines/model.js';
import { atLeast } from '../../stats/gate.js';
import { computeSystems } from '../../systems/compute/computes.js';
import { MemoryCompute } from '../../systems/compute/memory.js';
import { memorySystems } from '../../testing/memory-systems.js';
import { runTask } from '../../testing/run-task.js';

const file: ModelFile = {
  name: 'router',
  owner: 'team-a',
  data: { source: 's3://lake/docs/' },
  train: { base: 'org/model', compute: 'gpu', wants: { gpus: 1, memoryBytes: 2 ** 30 } },
  gate: [atLeast('exactMatch', 0.5)],
  serve: {
    command: ['serve', '{model}', '--port', '{port}'],
    compute: 'serving',
    gpus: 1,
    probe: { path: '/v1/completions', bodies: ['{}'] },
  },
};

const forever = ({ signal }: { signal: AbortSignal }): Promise<number> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(143)));

describe('an evaluation', () => {
  const placesOf = (changes: object = {}) => {
    const { compute, wants } = model({ ...file, ...changes }).settings.evaluate;
    return { compute, wants };
  };
  const trained = { compute: 'gpu', wants: { gpus: 1, memoryBytes: 2 ** 30 } };

  test('runs where the model is trained, with as much, as far as it does not say otherwise', () => {
    expect(placesOf()).toEqual(trained);
    expect(placesOf({ evaluate: { batchSize: 4 } })).toEqual(trained);
    expect(placesOf({ evaluate: { compute: 'other' } })).toEqual({ ...trained, compute: 'other' });
    expect(placesOf({ evaluate: { wants: {} } })).toEqual({ ...trained, wants: { gpus: 0, memoryBytes: 0 } });
    const several = { command: ['torchrun', 'train.py'], compute: 'gpu', wants: { gpus: 8 } };
    expect(placesOf({ train: several }).wants.gpus).toBe(1);
    expect(placesOf({ train: several, evaluate: { command: ['python', 'measure.py'] } }).wants.gpus).toBe(8);
    expect(placesOf({ train: { base: 'b' } })).toEqual({ compute: 'local', wants: { gpus: 0, memoryBytes: 0 } });
  });

  test('is not blamed for a place that training gets wrong', () => {
    const train = { ...file.train, wants: { gpus: -1 } };
    expect(() => model({ ...file, train })).toThrow(/1 problem: train\.wants\.gpus: /);
  });
});

describe('preflight', () => {
  let gpu: MemoryCompute;
  let serving: MemoryCompute;

  const check = async (changes: object = {}, log = vi.fn()) =>
    await runTask(
      preflight,
      { settings: model({ ...file, ...changes }).settings },
      {
        systems: { ...memorySystems(), compute: computeSystems([gpu, serving]) },
        log: { debug: vi.fn(), info: vi.fn(), warn: log, error: vi.fn() },
      },
    );
  const fill = (compute: MemoryCompute) =>
    compute.submit({
      ...{ key: 'other', epoch: 1, kind: 'service', command: ['wait'], environment: {}, files: {} },
      wants: { gpus: 1, memoryBytes: 0 },
    });

  beforeEach(() => {
    const of = (name: string) =>
      new MemoryCompute({
        name,
        hosts: { [`${name}-1`]: { gpus: 1, memoryBytes: 16 * 2 ** 30 } },
        programs: { wait: forever },
      });
    [gpu, serving] = [of('gpu'), of('serving')];
  });

  test('finds nothing wrong where there is room for everything', async () => {
    expect((await check()).findings.map(({ ok }) => ok)).not.toContain(false);
  });

  test('lets training wait for a host that is busy', async () => {
    await fill(gpu);
    const { findings } = await check();
    expect(findings).toContainEqual({
      check: 'a place to train',
      ok: true,
      explanation: 'compute gpu is busy: training will wait',
    });
  });

  test('waits for room to serve that is not there yet, before anything is spent', async () => {
    const champion = await fill(serving);
    await expect(check()).rejects.toMatchObject({
      type: 'NoCapacity',
      retryable: true,
      message: /no host of compute serving has 1 GPUs and 0 MiB free beside what it serves/,
    });
    await serving.end(champion, { graceMs: 0 });
    await expect(check()).resolves.toBeDefined();
  });

  test('waits for a serving host that does not answer, and says so', async () => {
    serving.setAway('serving-1', true);
    const log = vi.fn();
    await expect(check({}, log)).rejects.toMatchObject({
      type: 'NoCapacity',
      message: /The host serving-1 does not answer/,
    });
    expect(log).toHaveBeenCalledWith(expect.objectContaining({ compute: 'serving' }), expect.any(String));
  });

  test('looks for a place to evaluate as for one to train', async () => {
    await expect(check({ evaluate: { wants: { gpus: 3 } } })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: /no host of compute gpu declares the 3 GPUs and 0 MiB that evaluation wants/,
    });
    await expect(check({ evaluate: { compute: 'edge' } })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: /There is no compute system edge: there are gpu, serving/,
    });
  });

  describe('of credentials that a job is given as they are', () => {
    const givenFor = (hours: number) =>
      Object.assign(gpu, { credentialsExpireAt: async () => new Date(Date.now() + hours * 3_600_000) });

    test('refuses those that end before a job has to be done, and says what to do', async () => {
      givenFor(7);
      await expect(check()).rejects.toMatchObject({
        type: 'InvalidInput',
        message: /compute gpu .* before train\.timeLimitMs \(86400000\): lower it, or set credentials: 'host'/,
      });
      givenFor(5);
      await expect(check()).rejects.toMatchObject({ message: /before train\..*before evaluate\./ });
    });

    test('takes those that last for each job', async () => {
      givenFor(25);
      await expect(check()).resolves.toBeDefined();
      givenFor(7);
      await expect(check({ train: { ...file.train, timeLimitMs: 3_600_000 } })).resolves.toBeDefined();
    });
  });

  test('refuses at once what can never be, every problem in one message', async () => {
    await fill(serving);
    const train = { ...file.train, wants: { gpus: 9 } };
    await expect(check({ train, serve: { ...file.serve, gpus: 4 } })).rejects.toMatchObject({
      type: 'InvalidInput',
      retryable: false,
      message: /9 GPUs and 0 MiB that training wants; .*4 GPUs and 0 MiB that serving wants/,
    });
    const nowhere = { train: { ...file.train, compute: 'cluster' }, serve: { ...file.serve, compute: 'edge' } };
    await expect(check(nowhere)).rejects.toMatchObject({ type: 'InvalidInput', message: /cluster.*edge/ });
  });
});
