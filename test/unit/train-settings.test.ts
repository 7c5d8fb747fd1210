// The settings of training and evaluation: defaults, refusals, and that the Python programs fill in the very same defaults.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canaryDeploy } from '../../activities/canary-deploy.js';
import { evaluate } from '../../activities/evaluate.js';
import { fineTune } from '../../activities/fine-tune.js';
import { rollback } from '../../activities/rollback.js';
import { canary, rolloutSettings } from '../../activities/schemas/rollout-settings.js';
import type { ModelFile } from '../../activities/schemas/model-settings.js';
import { evaluateSettings } from '../../activities/schemas/evaluate-settings.js';
import { dataSettings } from '../../activities/schemas/data-settings.js';
import { full, lora, trainSettings } from '../../activities/schemas/train-settings.js';
import { model } from '../../pipelines/model.js';
import { atLeast } from '../../stats/gate.js';

const jobs = join(import.meta.dirname, '../../jobs');

/** The recipe as the training program reads it; needs no more than Python itself. */
const readByPython = (recipe: object): Record<string, unknown> => {
  const program =
    'import json, sys; from dataclasses import asdict; from recipe import read_recipe; ' +
    'print(json.dumps(asdict(read_recipe({"recipe": json.load(sys.stdin)})[0])))';
  const printed = execFileSync('python3', ['-c', program], { cwd: jobs, input: JSON.stringify(recipe) });
  return JSON.parse(printed.toString()) as Record<string, unknown>;
};

describe('trainSettings', () => {
  test('a base model alone is enough', () => {
    expect(trainSettings.parse({ base: 's3://models/small/' })).toMatchObject({
      recipe: { kind: 'lora', rank: 16, learningRate: 2e-4, merge: true, seed: 0 },
      compute: 'local',
      wants: { gpus: 0, memoryBytes: 0 },
      environment: [],
    });
  });

  test('a time limit that the stage would not live to see is refused', () => {
    const longest = 13 * 24 * 3_600_000;
    expect(trainSettings.parse({ base: 'b', timeLimitMs: longest }).timeLimitMs).toBe(longest);
    expect(longest).toBeLessThan(fineTune.limits.deadlineMs);
    expect(() => trainSettings.parse({ base: 'b', timeLimitMs: longest + 1 })).toThrow(
      'must be at most 1123200000 (13 days), since the whole stage has 14 days',
    );
  });

  test('neither a base model nor a command is refused', () => {
    expect(() => trainSettings.parse({})).toThrow('a base model, or a command');
  });

  test.each([
    ['a misspelt setting', { base: 'b', recipe: { kind: 'lora', lerningRate: 1 } }],
    ['a setting of the other recipe', { base: 'b', recipe: { kind: 'full', rank: 8 } }],
    ['a value where a name belongs', { base: 'b', environment: ['HF_TOKEN=secret'] }],
    ['a file outside of the job', { command: ['node'], files: { '../x': '' } }],
    ['a file at an absolute path', { command: ['node'], files: { '/etc/x': '' } }],
    ['files too large to travel with a submission', { command: ['node'], files: { x: 'x'.repeat(300 * 1024) } }],
    ['an empty command', { command: [] }],
  ])('%s is refused', (_, settings) => {
    expect(trainSettings.safeParse(settings).success).toBe(false);
  });

  test("more GPUs than Pawl's own trainer uses are refused, and left to a command of the team", () => {
    const wants = { gpus: 2 };
    expect(() => trainSettings.parse({ base: 'b', wants })).toThrow('uses one GPU');
    expect(trainSettings.parse({ command: ['torchrun', 'train.py'], wants }).wants.gpus).toBe(2);
  });

  test('a file in a folder of the job is taken', () => {
    expect(trainSettings.safeParse({ command: ['node', 'a/b.mjs'], files: { 'a/b.mjs': '' } }).success).toBe(true);
  });
});

describe('recipes', () => {
  test.each([lora(), full(), lora({ maxSteps: 5, alpha: 3 }), full({ epochs: 0.5, maxSteps: 9 })])(
    'are read by the training program as they are, its own defaults adding nothing (%#)',
    (recipe) => {
      const filled = readByPython(recipe);
      expect(filled).toEqual(readByPython({ kind: recipe.kind, ...givenOf(recipe) }));
    },
  );

  const givenOf = ({ epochs, maxSteps, ...recipe }: ReturnType<typeof lora>): object => ({
    ...(epochs === undefined ? {} : { epochs }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...('alpha' in recipe && recipe.alpha !== undefined ? { alpha: recipe.alpha } : {}),
  });
});

describe('evaluateSettings', () => {
  test('nothing at all is enough', () => {
    expect(evaluateSettings.parse(undefined)).toMatchObject({ suites: [{ name: 'main', split: 'test' }] });
  });

  test('two suites of one name are refused', () => {
    expect(() => evaluateSettings.parse({ suites: [{}, {}] })).toThrow('a name of its own');
  });

  test('an unknown metric is refused', () => {
    expect(evaluateSettings.safeParse({ suites: [{ metrics: ['bleu'] }] }).success).toBe(false);
  });
});

describe('slices', () => {
  const file = (data: object, evaluate: object) =>
    model({
      name: 'm',
      owner: 'o',
      data: { source: 's3://lake/', ...data },
      train: { base: 'b' },
      evaluate,
      gate: [atLeast('exactMatch', 0.5)],
      serve: { command: ['s'], probe: { path: '/', bodies: ['{}'] } },
    });

  test('are those of the data, or some of them', () => {
    expect(file({ slices: ['language'] }, {}).settings.evaluate.slices).toBeUndefined();
    expect(file({ slices: ['language', 'tier'] }, { slices: ['tier'] }).settings.evaluate.slices).toEqual(['tier']);
  });

  test('that no row carries are refused', () => {
    expect(() => file({ slices: ['tier'] }, { slices: ['tier', 'language'] })).toThrow(
      "evaluate.slices[1]: 'language' is not in data.slices, so no row carries it: add it there",
    );
  });
});

test('a setting that a model’s file misspells is refused, however deep it lies, with the one that was meant', () => {
  const bound = { kind: 'atLeast', metric: 'exactMatch', bound: 0.5 };
  const misspelt = {
    name: 'm',
    owner: 'o',
    data: { source: 's3://lake/', chunk: { maxToken: 9 } },
    train: { base: 'b', recipe: { kind: 'lora', rnak: 8 } },
    gate: [{ ...bound, minSample: 500 }],
    serve: { command: ['s'], probe: { path: '/', bodies: ['{}'], body: '{}' } },
    rollout: canary(),
  };
  expect(() => model(misspelt as unknown as ModelFile)).toThrow(
    'model m: 4 problems: data.chunk.maxToken: is not known here: did you mean maxTokens?; ' +
      'train.recipe.rnak: is not known here: did you mean rank?; ' +
      'gate[0].minSample: is not known here: did you mean minSamples?; ' +
      'serve.probe.body: is not known here; known are path, bodies',
  );
});

test('an instruction for messages is refused: they have a form of their own', () => {
  const instruction = { prompt: '{q}', completion: '{a}' };
  const source = 's3://lake/';
  expect(() => dataSettings.parse({ source, fields: { messages: 'chat' }, instruction })).toThrow('fields.messages');
  expect(dataSettings.safeParse({ source, fields: { prompt: 'q', completion: 'a' }, instruction }).success).toBe(true);
});

test('messages beside a prompt and an answer are refused: only one of the two can be learnt', () => {
  const fields = { messages: 'chat', prompt: 'q', completion: 'a' };
  expect(() => dataSettings.parse({ source: 's3://lake/a/', fields })).toThrow(/leave one of the two out/);
});

test('a wrong value within a helper is told with its path, not as a parser’s dump', () => {
  const wrong = { pauseMs: 'x', weights: [50, 10] } as unknown as Parameters<typeof canary>[0];
  expect(() => canary(wrong)).toThrow(
    'canary: 2 problems: weights: the weights must rise; pauseMs: must be a number, not a string',
  );
  expect(() => lora({ learningRate: -1 })).toThrow(/^lora: 1 problem: learningRate: /);
});

describe('the deadlines of the stages', () => {
  test('an evaluation’s time limit stays below its stage’s', () => {
    const longest = 3 * 24 * 3_600_000;
    expect(evaluateSettings.parse({ timeLimitMs: longest })?.timeLimitMs).toBe(longest);
    expect(longest).toBeLessThan(evaluate.limits.deadlineMs);
    expect(() => evaluateSettings.parse({ timeLimitMs: longest + 1 })).toThrow(
      'must be at most 259200000 (3 days), since the whole stage has 4 days',
    );
  });

  test.each([fineTune, evaluate])('$name is not ended as one attempt before its deadline', ({ limits }) => {
    expect(limits.timeoutMs).toBe(limits.deadlineMs);
  });

  test.each([canaryDeploy, rollback])('$name lasts longer than any rollout', ({ limits }) => {
    const longest = 365 * 24 * 3_600_000;
    expect(rolloutSettings.parse({ deadlineMs: longest }).deadlineMs).toBe(longest);
    expect(limits.deadlineMs).toBeGreaterThan(longest);
    expect(() => rolloutSettings.parse({ deadlineMs: longest + 1 })).toThrow('must be at most 31536000000 (365 days)');
  });
});
