// A model whose trainer, evaluation and server are the team's own programs; everything around them is Pawl's.

import { readFileSync } from 'node:fs';
import { atLeast, model, notWorseThan } from 'pawl';

const source = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const sources = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, source(name)]));

export default model({
  name: 'intent-router',
  owner: 'ml-platform',
  data: {
    source: 's3://lake/intents/',
    kind: 'records',
    fields: { prompt: 'question', completion: 'intent' },
    slices: ['language'],
  },
  train: {
    command: ['node', 'train.mjs'],
    files: sources('train.mjs', 'serve.mjs', 'classifier.mjs', 'contract.mjs'),
    settings: { epochs: 8, rate: 0.5 },
  },
  evaluate: {
    command: ['node', 'evaluate.mjs'],
    files: sources('evaluate.mjs', 'classifier.mjs', 'contract.mjs'),
    settings: { slices: ['language'] },
  },
  gate: [
    atLeast('exactMatch', 0.8, { minSamples: 20 }),
    notWorseThan('champion', 'exactMatch', { by: 0.02, higherIsBetter: true }),
  ],
  rollout: { weights: [10, 50, 100], minRequests: 100 },
  serve: {
    // The trainer put its server into the artifact.
    command: ['node', '{model}/serve.mjs', '{model}', '{port}'],
    probe: { path: '/v1/completions', bodies: ['{"prompt":"where is my parcel"}'] },
  },
});
