// A team's own trainer: it runs in place of Pawl's fine_tune.py, on the same hosts, with the same promises.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyWeights, featuresOf, learn, toSafetensors } from './classifier.mjs';
import {
  exitCodes,
  fail,
  newestCheckpoint,
  progress,
  readRows,
  saveCheckpoint,
  spec,
  writeResult,
} from './contract.mjs';

const { epochs = 5, rate = 0.5, pauseMs = 0 } = spec.settings;
if (!(epochs > 0) || !(rate > 0)) fail(exitCodes.badInput, 'settings.epochs and settings.rate must be above 0');

const rows = readRows('train.jsonl');
if (rows.length === 0) fail(exitCodes.badInput, 'train.jsonl is empty');
const labels = [...new Set(rows.map((row) => row.completion.trim()))].sort();
const examples = rows.map((row) => ({
  features: featuresOf(row.prompt),
  wanted: labels.indexOf(row.completion.trim()),
}));

const saved = newestCheckpoint();
const weights = saved === undefined ? emptyWeights(labels.length) : Float32Array.from(saved.weights);
const curve = saved?.curve ?? [];
let stopping = false;
process.on('SIGTERM', () => (stopping = true));

for (let epoch = curve.length; epoch < epochs; epoch++) {
  let loss = 0;
  for (const { features, wanted } of examples) loss += learn(weights, labels, features, wanted, rate / (epoch + 1));
  curve.push({ step: epoch + 1, loss: loss / examples.length });
  // Float32 numbers survive JSON exactly, so a run that is taken up again ends with the same weights.
  saveCheckpoint(epoch + 1, { weights: [...weights], curve });
  progress({ ...curve.at(-1), steps: epochs });
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  if (stopping) fail(exitCodes.passingTrouble, `asked to stop after epoch ${epoch + 1}; a checkpoint is saved`);
}

mkdirSync(spec.outputs.artifact, { recursive: true });
writeFileSync(join(spec.outputs.artifact, 'model.safetensors'), toSafetensors(weights, labels));
writeFileSync(
  join(spec.outputs.artifact, 'training_curve.jsonl'),
  curve.map((point) => `${JSON.stringify(point)}\n`).join(''),
);
// Its server goes with it: a version can then be served on any host that has Node, years later too.
for (const name of ['serve.mjs', 'classifier.mjs']) {
  copyFileSync(new URL(name, import.meta.url), join(spec.outputs.artifact, name));
}
writeResult({
  steps: epochs,
  finalLoss: curve.at(-1).loss,
  trainExamples: rows.length,
  resumedFrom: saved === undefined ? null : saved.curve.length,
});
