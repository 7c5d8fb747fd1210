// A team's own evaluation, in place of Pawl's evaluate.py: the artifact and the champion on the same examples.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModel } from './classifier.mjs';
import { exitCodes, fail, progress, readRows, spec, writeResult } from './contract.mjs';

const rows = readRows('test.jsonl');
if (rows.length === 0) fail(exitCodes.badInput, 'test.jsonl is empty');
const models = Object.fromEntries(
  ['artifact', 'champion'].flatMap((name) =>
    spec.inputs[name] === undefined ? [] : [[name, readModel(join(spec.inputs[name], 'model.safetensors'))]],
  ),
);

/** The Wilson interval of a share: right for few samples, and never outside of 0 and 1. */
function share(hits) {
  const samples = hits.length;
  const value = hits.filter(Boolean).length / samples;
  const z = 1.96;
  const middle = (value + (z * z) / (2 * samples)) / (1 + (z * z) / samples);
  const half =
    (z / (1 + (z * z) / samples)) * Math.sqrt((value * (1 - value)) / samples + (z * z) / (4 * samples * samples));
  return { value, samples, low: middle - half, high: middle + half };
}

function measure(model) {
  const hits = rows.map((row) => model.answer(row.prompt) === row.completion.trim());
  const bySlice = new Map();
  rows.forEach((row, index) => {
    for (const name of spec.settings.slices ?? []) {
      const label = `${name}=${row.slices?.[name]}`;
      bySlice.set(label, [...(bySlice.get(label) ?? []), hits[index]]);
    }
  });
  const slices = Object.fromEntries([...bySlice].map(([label, of]) => [label, { exactMatch: share(of) }]));
  return { metrics: { exactMatch: share(hits) }, slices };
}

const tables = Object.fromEntries(Object.entries(models).map(([name, model]) => [name, measure(model)]));
progress({ examples: rows.length });
mkdirSync(spec.outputs.examples, { recursive: true });
const lines = rows.map((row) => ({
  ...row,
  ...Object.fromEntries(Object.entries(models).map(([name, model]) => [name, model.answer(row.prompt)])),
}));
writeFileSync(join(spec.outputs.examples, 'examples.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
writeResult({ ...tables.artifact, champion: tables.champion ?? null });
