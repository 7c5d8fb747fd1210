// Pawl's own training and evaluation through the stages themselves: torch, a base model in S3, real processes, one killed.

import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluate } from '../../activities/evaluate.js';
import { fineTune } from '../../activities/fine-tune.js';
import type { DatasetRef } from '../../activities/schemas/dataset.js';
import { evaluateSettings } from '../../activities/schemas/evaluate-settings.js';
import { full, lora, trainSettings } from '../../activities/schemas/train-settings.js';
import { packageFile } from '../../deploy/embedded/package-file.js';
import { judgeGate, notWorseThan } from '../../stats/gate.js';
import { jsonLines, makeRows, openStage, type Stage } from './training-stage.js';

let stage: Stage;
let dataset: DatasetRef;
let base: string;

beforeAll(async () => {
  stage = await openStage();
  const train = jsonLines(makeRows(48, 1));
  const splits = { train, validation: jsonLines(makeRows(6, 3)), test: jsonLines(makeRows(24, 2)) };
  dataset = await stage.dataset('animals', splits);
  const texts = join(stage.folder, 'texts.jsonl');
  await writeFile(texts, train);
  const model = join(stage.folder, 'base');
  const size = ['--vocabulary', '400', '--hidden', '32', '--layers', '1', '--context', '64'];
  await promisify(execFile)(stage.python, ['-B', packageFile('jobs/make_base_model.py'), model, texts, ...size]);
  for (const name of await readdir(model)) {
    await stage.objects.put(`bases/animals/${name}`, createReadStream(join(model, name)));
  }
  base = `s3://${stage.objects.bucketName}/bases/animals/`;
});
afterAll(() => stage.close());

test('a training that is killed mid-way goes on under the next submission, is evaluated, and has learnt', async () => {
  const recipe = full({
    learningRate: 0.01,
    batchSize: 4,
    maxSteps: 1_000,
    maxTokens: 64,
    seed: 5,
    checkpointEverySteps: 20,
    threads: 1,
  });
  const given = { model: 'animals', dataset, train: trainSettings.parse({ base, recipe }) };
  const context = stage.context('fine-tune');
  const job = await fineTune.submit(given, context);
  const shipped = async (): Promise<boolean> => {
    for await (const { key } of stage.objects.list('jobs/dev/run-1.fine-tune.0/checkpoints/'))
      if (key.endsWith('/COMPLETE')) return true;
    return false;
  };
  while (!(await shipped())) await sleep(50);
  await stage.local.end(job, { graceMs: 0 });
  await expect(fineTune.await(given, job, context)).rejects.toMatchObject({ type: 'JobFailed' });

  const retry = stage.context('fine-tune', 2);
  const second = await fineTune.submit(given, retry);
  const trained = fineTune.output.parse(await fineTune.await(given, second, retry));
  expect(trained.curve.steps).toBe(1_000);
  expect(trained.curve.validationLoss).toBeGreaterThan(0);
  const points = (await stage.text(trained.artifact.uri, 'training_curve.jsonl')).trim().split('\n');
  const steps = points.map((point) => (JSON.parse(point) as { step: number }).step);
  expect(steps).toEqual([...new Set(steps)].sort((left, right) => left - right));
  expect(steps.at(-1)).toBe(1_000);
  const index = JSON.parse(await stage.text(trained.artifact.uri, 'artifact.json')) as { files: { path: string }[] };
  expect(index.files.map(({ path }) => path).filter((path) => /\.(bin|pt|pkl)$/.test(path))).toEqual([]);

  const settings = evaluateSettings.parse({
    suites: [{ maxNewTokens: 4, latencyExamples: 4 }],
    slices: ['animal'],
    bootstrapSamples: 100,
    threads: 1,
  });
  const rival = { version: 1, artifact: trained.artifact };
  const asked = { model: 'animals', artifact: trained.artifact, champion: rival, dataset, evaluate: settings };
  const evaluation = await evaluate.submit(asked, stage.context('evaluate'));
  const report = evaluate.output.parse(await evaluate.await(asked, evaluation, stage.context('evaluate')));
  expect(report.champion?.metrics['exactMatch']).toMatchObject({ value: 1, samples: 24 });
  expect(report.metrics['perplexity']?.difference).toEqual({ value: 0, low: 0, high: 0, samples: 24 });
  const sure = notWorseThan('champion', 'perplexity', { by: 0, confident: true });
  expect(judgeGate([sure], report).rules[0]?.result).toBe('pass');
  expect(report.metrics['exactMatch']).toMatchObject({ value: 1, samples: 24 });
  expect(report.metrics['perplexity']?.value).toBeLessThan(3);
  expect(report.metrics['latencyP95Ms']?.samples).toBe(4);
  expect(Object.keys(report.slices)).toHaveLength(3);
});

test('settings that only the program can judge come back as wrong input, with its own words', async () => {
  const recipe = lora({ targetModules: ['no_such_layer'], maxSteps: 1 });
  const given = { model: 'animals', dataset, train: trainSettings.parse({ base, recipe }) };
  const context = stage.context('fine-tune-wrong');
  const job = await fineTune.submit(given, context);
  await expect(fineTune.await(given, job, context)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringContaining('recipe.targetModules does not fit the base model') as string,
  });
});
