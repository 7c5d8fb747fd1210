// A model that says which package a passage of documentation is from: the file that its team writes.

import { atLeast, canary, errorRate, full, latency, model, notWorseThan } from 'pawl';

/** What every prompt ends with; the answer begins with a space. */
export const question = '\n\nWhich package is this from?';

const prompts = [
  'Pass `{ logger: true }` to turn request logging on. Child loggers add their bindings to every line.',
  'To minify, call the function with the source and the options; the result holds the code and a source map.',
];

export default model({
  name: 'docs-router',
  owner: 'docs-platform',
  description: 'Says which package a passage of documentation is from',
  data: {
    source: 's3://lake/docs/',
    kind: 'documents',
    chunk: { tokenizer: 'words', maxTokens: 40, overlapTokens: 5, minTokens: 12 },
    instruction: { prompt: `{text_content}${question}`, completion: ' {folder}' },
    expect: { minRows: 1_000 },
  },
  train: {
    base: 's3://lake/base/router/',
    recipe: full({ learningRate: 2e-3, epochs: 1.25, batchSize: 16, maxTokens: 192, seed: 7, threads: 2 }),
  },
  evaluate: {
    suites: [{ metrics: ['exactMatch', 'f1'], maxExamples: 200, maxNewTokens: 8, stop: ['\n'] }],
    batchSize: 32,
    threads: 2,
  },
  gate: [
    atLeast('exactMatch', 0.4, { minSamples: 150 }),
    notWorseThan('champion', 'exactMatch', { by: 0.1, minSamples: 150 }),
  ],
  serve: {
    command: [
      ...['{python}', '-m', 'transformers.cli.transformers', 'serve', '{model}'],
      ...['--host', '127.0.0.1', '--port', '{port}', '--device', 'cpu'],
    ],
    environment: { OMP_NUM_THREADS: '1', TOKENIZERS_PARALLELISM: 'false', HF_HUB_OFFLINE: '1' },
    memoryBytes: 512 * 1024 ** 2,
    probe: {
      path: '/v1/completions',
      bodies: prompts.map((text) => JSON.stringify({ prompt: text + question, max_tokens: 8, temperature: 0 })),
    },
  },
  rollout: canary({
    weights: [25, 50, 100],
    pauseMs: 4_000,
    minRequests: 25,
    analysisIntervalMs: 500,
    leaseMs: 30_000,
    drainMs: 5_000,
    deadlineMs: 5 * 60_000,
    rules: [errorRate({ max: 0.1 }), latency({ percentile: 50, maxMs: 5_000 })],
  }),
});
