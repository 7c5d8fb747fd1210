// The model: a softmax over hashed words, small enough to be read. Shared by training, evaluation and serving.

import { readFileSync } from 'node:fs';

const buckets = 4096;

/** FNV-1a, so that a word has the same place on every host. */
function bucketOf(word) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(word)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % buckets;
}

export const featuresOf = (prompt) => [...new Set((prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(bucketOf))];

export const emptyWeights = (labels) => new Float32Array(labels * buckets);

/** The probability of every label. */
export function predict(weights, labels, features) {
  const scores = labels.map((_, label) => features.reduce((sum, at) => sum + weights[label * buckets + at], 0));
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** One step of gradient descent; answers the loss before it. */
export function learn(weights, labels, features, wanted, rate) {
  const odds = predict(weights, labels, features);
  odds.forEach((probability, label) => {
    const change = rate * ((label === wanted ? 1 : 0) - probability);
    for (const at of features) weights[label * buckets + at] += change;
  });
  return -Math.log(Math.max(odds[wanted], 1e-12));
}

/** A safetensors file: the header's length, the header, the numbers. The labels travel in its metadata. */
export function toSafetensors(weights, labels) {
  const tensor = { dtype: 'F32', shape: [labels.length, buckets], data_offsets: [0, weights.byteLength] };
  const header = Buffer.from(JSON.stringify({ __metadata__: { labels: JSON.stringify(labels) }, weights: tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(weights.buffer)]);
}

export function readModel(path) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, start).toString());
  const weights = new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
  const labels = JSON.parse(header.__metadata__.labels);
  return { labels, answer: (prompt) => mostLikely(labels, predict(weights, labels, featuresOf(prompt))) };
}

const mostLikely = (labels, odds) => labels[odds.indexOf(Math.max(...odds))];
