// A team's own programs (examples/own-program) under the job contract, through the stages themselves: real S3, real processes.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluate } from '../../activities/evaluate.js';
import { fineTune } from '../../activities/fine-tune.js';
import { evaluateSettings } from '../../activities/schemas/evaluate-settings.js';
import { trainSettings } from '../../activities/schemas/train-settings.js';
import type { Json } from '../../dag/graph.js';
import { firstPromotion, rollBack } from '../../systems/endpoint/transitions.js';
import type { DatasetRef } from '../../activities/schemas/dataset.js';
import { jsonLines, makeRows, openStage, type Stage } from './training-stage.js';

const folder = new URL('../../examples/own-program/', import.meta.url);
const sources = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));

const trainFiles = sources('train.mjs', 'serve.mjs', 'classifier.mjs', 'contract.mjs');
const train = (settings: object = {}) =>
  trainSettings.parse({ command: ['node', 'train.mjs'], files: trainFiles, settings: { epochs: 4, ...settings } });
const evaluation = evaluateSettings.parse({
  command: ['node', 'evaluate.mjs'],
  files: sources('evaluate.mjs', 'classifier.mjs', 'contract.mjs'),
  settings: { slices: ['animal'] },
});

let stage: Stage;
let dataset: DatasetRef;

beforeAll(async () => {
  stage = await openStage();
  const splits = { train: jsonLines(makeRows(60, 1)), validation: '', test: jsonLines(makeRows(24, 2)) };
  dataset = await stage.dataset('router', splits);
});
afterAll(() => stage.close());

const trained = async (key: string, settings = train(), data = dataset) => {
  const given = { model: 'router', dataset: data, train: settings };
  const context = stage.context(key);
  const job = await fineTune.submit(given, context);
  return fineTune.await(given, job, context);
};

const failureOf = async (promise: Promise<unknown>): Promise<{ type: string; message: string }> =>
  promise.then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error as { type: string; message: string },
  );

describe('a trainer of the team', () => {
  test('gives an artifact that is known by its content: the same training again is the same artifact', async () => {
    const first = await trained('fine-tune-a');
    const again = await trained('fine-tune-b');
    expect(first.curve).toMatchObject({ steps: 4, validationLoss: null });
    expect(first.curve.finalLoss).toBeLessThan(0.1);
    expect(again.artifact).toEqual(first.artifact);
    expect(first.artifact.uri).toContain(`models/router/artifacts/${first.artifact.digest}/`);
    const index = JSON.parse(await stage.text(first.artifact.uri, 'artifact.json')) as { files: { path: string }[] };
    expect(index.files.map(({ path }) => path).sort()).toEqual([
      'classifier.mjs',
      'model.safetensors',
      'serve.mjs',
      'training_curve.jsonl',
    ]);
  });

  test('a trainer that is killed goes on from its last checkpoint, to the same artifact', async () => {
    const whole = await trained('fine-tune-whole');
    const given = { model: 'router', dataset, train: train({ pauseMs: 700 }) };
    const context = stage.context('fine-tune-killed');
    const job = await fineTune.submit(given, context);
    const checkpoints = 'jobs/dev/run-1.fine-tune-killed.0/checkpoints/';
    const shipped = async () => {
      for await (const { key } of stage.objects.list(checkpoints)) if (key.endsWith('/COMPLETE')) return true;
      return false;
    };
    while (!(await shipped())) await sleep(50);
    await stage.local.end(job, { graceMs: 0 });
    expect((await failureOf(fineTune.await(given, job, context))).type).toBe('JobFailed');
    const said: Json[] = [];
    const retry = stage.context('fine-tune-killed', 2, said);
    const second = await fineTune.submit(given, retry);
    const result = await fineTune.await(given, second, retry);
    expect(second).toMatchObject({ epoch: job.epoch + 1 });
    expect(said.some((line) => 'step' in (line as object) && (line as { step: number }).step === 1)).toBe(false);
    expect(result.artifact.digest).toBe(whole.artifact.digest);
  });

  test('a bad row is told with its file and line, and is no reason to try again', async () => {
    const bad = await stage.dataset('router', { train: '{"prompt":"a"}\n', validation: '', test: '' });
    const failure = await failureOf(trained('fine-tune-bad', train(), bad));
    expect(failure).toMatchObject({ type: 'InvalidInput', retryable: false });
    expect(failure.message).toContain('train.jsonl line 1');
  });

  test('an artifact with a pickle in it is refused, whatever the pickle is called', async () => {
    const program = [
      'import json, os, pickle',
      'spec = json.load(open(os.environ["PAWL_SPEC"]))',
      'pickle.dump({"weights": print}, open(spec["outputs"]["artifact"] + "/model.safetensors", "wb"))',
    ].join('\n');
    const settings = trainSettings.parse({ command: ['{python}', 'train.py'], files: { 'train.py': program } });
    const failure = await failureOf(trained('fine-tune-pickle', settings));
    expect(failure).toMatchObject({ type: 'InvalidInput' });
    expect(failure.message).toContain('model.safetensors is called safetensors but is a pickle');
  });

  test('secrets reach the program by its environment and stand in no file', async () => {
    process.env['STAGE_TEST_TOKEN'] = 'not-for-any-file';
    const program = 'if (process.env.STAGE_TEST_TOKEN !== ["not", "for", "any", "file"].join("-")) process.exit(65);';
    const files = { ...trainFiles, 'train.mjs': `${program}\n${trainFiles['train.mjs']}` };
    const settings = { ...train(), files, environment: ['STAGE_TEST_TOKEN'] };
    await trained('fine-tune-secret', settings);
    const onHost = await stage.everythingOnHost();
    expect(onHost).toContain('STAGE_TEST_TOKEN');
    expect(onHost).not.toContain('not-for-any-file');
    delete process.env['STAGE_TEST_TOKEN'];
    const failure = await failureOf(trained('fine-tune-no-secret', settings));
    expect(failure).toMatchObject({ type: 'InvalidInput' });
    expect(failure.message).toContain('STAGE_TEST_TOKEN');
  });

  test('once released, the job is gone from its host, and nobody can start it again', async () => {
    const given = { model: 'router', dataset, train: train({ pauseMs: 60_000 }) };
    const context = stage.context('fine-tune-released');
    const job = await fineTune.submit(given, context);
    await fineTune.release(given, job, context);
    await fineTune.release(given, undefined, context);
    expect(await stage.local.state(job)).toBeUndefined();
    expect((await failureOf(fineTune.submit(given, context))).type).toBe('Cancelled');
  });
});

describe('an evaluation of the team', () => {
  const act = (operationId: string) => ({ operationId, by: 'test', reason: 'test', at: '2026-01-02T03:00:00.000Z' });

  const registered = async (artifact: { uri: string; digest: string; sizeBytes: number }) => {
    const lineage = { datasetId: dataset.id, codeVersion: '1', settingsDigest: '1', workflowId: 'w', runId: 'r' };
    const request = { artifact, lineage, metrics: {}, verdict: {}, serve: {}, by: 'test' };
    return (await stage.systems.registry.register('router', request)).version;
  };

  test('compares with the champion that was there at the first try, though it has moved by the second', async () => {
    const good = await trained('evaluate-good');
    // Every label is learnt a little: nobody would tell an animal by it.
    const poor = await trained('evaluate-poor', train({ epochs: 1, rate: 1e-7 }));
    const [one, two] = [await registered(poor.artifact), await registered(good.artifact)];
    const { endpoints } = stage.systems;
    const first = firstPromotion(null, act('1'), { environment: 'dev', model: 'router', version: one, leaseMs: 1_000 });
    if (!first.allowed) expect.unreachable(first.refusal);
    await endpoints.write('router', first.next, null);

    const given = { model: 'router', artifact: good.artifact, dataset, evaluate: evaluation };
    const job = await evaluate.submit(given, stage.context('evaluate'));
    const reading = await endpoints.read('router');
    const second = rollBack(reading?.state ?? null, act('2'), { toVersion: two });
    if (!second.allowed || reading === undefined) expect.unreachable('the champion cannot move');
    await endpoints.write('router', second.next, reading);
    const again = await evaluate.submit(given, stage.context('evaluate', 2));
    expect(again).toEqual(job);
    const report = evaluate.output.parse(await evaluate.await(given, again, stage.context('evaluate', 2)));

    expect(report.champion?.version).toBe(one);
    expect(report.datasetId).toBe(dataset.id);
    expect(report.metrics['exactMatch']).toMatchObject({ value: 1, samples: 24 });
    expect(report.champion?.metrics['exactMatch']?.samples).toBe(24);
    expect(Object.keys(report.slices).sort()).toEqual(['animal=cat', 'animal=cow', 'animal=dog']);
    const examples = (await stage.text(report.examplesUri, 'examples.jsonl')).trim().split('\n');
    expect(examples).toHaveLength(24);
  });

  test('a program that leaves the champion out is told so', async () => {
    const { artifact } = await trained('evaluate-artifact');
    const program = [
      "import { spec, writeResult } from './contract.mjs';",
      "import { writeFileSync } from 'node:fs';",
      "writeFileSync(spec.outputs.examples + '/examples.jsonl', '');",
      'writeResult({ metrics: {} });',
    ].join('\n');
    const settings = { ...evaluation, files: { ...evaluation.files, 'evaluate.mjs': program } };
    const rival = { version: 7, artifact };
    const given = { model: 'router', artifact, dataset, evaluate: settings, champion: rival };
    const context = stage.context('evaluate-without-champion');
    const job = await evaluate.submit(given, context);
    const failure = await failureOf(evaluate.await(given, job, context));
    expect(failure.type).toBe('InvalidOutput');
    expect(failure.message).toContain('inputs.champion');
  });
});
