// A real model server, launched as the default of a model's file does it, with a tiny model made on the spot.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ensurePython } from '../../deploy/embedded/python.js';
import { artifactPrefix, s3Uri } from '../../systems/object-store/keys.js';
import type { ArtifactRef } from '../../systems/registry/port.js';
import { GatewayWorld, type GatewayProcess } from '../fixtures/gateway-world.js';

const makeModel = `
import sys
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
folder = sys.argv[1]
inner = Tokenizer(models.BPE())
inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
inner.decoder = decoders.ByteLevel()
inner.train_from_iterator(["a small model"], trainers.BpeTrainer(
    vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="</s>")
tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
tokenizer.save_pretrained(folder)
LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
    num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256,
    bos_token_id=0, eos_token_id=1, pad_token_id=1)).save_pretrained(folder)
`;

let world: GatewayWorld;
let gateway: GatewayProcess;
let folder: string;
let artifact: ArtifactRef;

async function ship(): Promise<ArtifactRef> {
  const files = await Promise.all(
    (await readdir(folder)).sort().map(async (path) => {
      const body = await readFile(join(folder, path));
      return { path, body, sha256: createHash('sha256').update(body).digest('hex'), sizeBytes: body.length };
    }),
  );
  const facts = files.map(({ path, sha256, sizeBytes }) => ({ path, sha256, sizeBytes }));
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex');
  const prefix = artifactPrefix(world.model, digest);
  for (const { path, body } of files) await world.objects.put(`${prefix}${path}`, body);
  const sizeBytes = facts.reduce((sum, fact) => sum + fact.sizeBytes, 0);
  await world.objects.put(`${prefix}artifact.json`, JSON.stringify({ schema: 1, digest, sizeBytes, files: facts }));
  return { uri: s3Uri(world.objects.bucketName, prefix), digest, sizeBytes };
}

beforeAll(async () => {
  world = await GatewayWorld.open(inject('s3'));
  folder = await mkdtemp(join(tmpdir(), 'pawl-tiny-model-'));
  const { python } = await ensurePython();
  await promisify(execFile)(python, ['-c', makeModel, folder]);
  artifact = await ship();
  const request = await world.launchRequest(1);
  const command = [
    '{python}',
    '-m',
    'transformers.cli.transformers',
    'serve',
    '{model}',
    '--host',
    '127.0.0.1',
    '--port',
    '{port}',
    '--device',
    'cpu',
  ];
  await world.serving().launch({ ...request, artifact, command });
  await world.ready(1);
  await world.promoteFirst(1);
  gateway = await world.readyGateway();
});

afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

test('transformers serve answers through the gateway under the name that users know, whole and as a stream', async () => {
  const chat = { model: 'bot', messages: [{ role: 'user', content: 'hello' }], max_tokens: 4 };
  const headers = { 'content-type': 'application/json' };
  const whole = await request(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(chat),
  });
  expect(whole.statusCode).toBe(200);
  expect(whole.headers['x-pawl-version']).toBe('1');
  expect(await whole.body.json()).toMatchObject({ choices: [{ message: { role: 'assistant' } }] });
  const body = JSON.stringify({ ...chat, stream: true });
  const stream = await request(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body });
  expect(stream.headers['content-type']).toContain('text/event-stream');
  expect(await stream.body.text()).toMatch(/^data: \{/m);
  const completion = JSON.stringify({ model: 'bot', prompt: 'hello', max_tokens: 4 });
  const plain = await request(`${gateway.url}/models/bot/v1/completions`, {
    method: 'POST',
    headers,
    body: completion,
  });
  expect(plain.statusCode).toBe(200);
  await plain.body.dump();
});

test('a version is probed past the gateway as a user would ask it', async () => {
  const bodies = [JSON.stringify({ model: 'bot', prompt: 'hello', max_tokens: 2 })];
  const result = await world.serving().probe('bot', 1, { path: '/v1/completions', bodies });
  expect(result).toMatchObject({ requests: 1, errors: 0 });
});

test('an artifact that is not the one that was registered is not served', async () => {
  const launch = { ...(await world.launchRequest(2)), artifact: { ...artifact, digest: '0'.repeat(64) } };
  const serving = world.serving();
  await serving.launch(launch);
  await expect(world.ready(2)).rejects.toThrow(/exit code 65.*it is another one/s);
});

test('a file that was changed in the store is not served', async () => {
  await world.objects.put(`${artifactPrefix(world.model, artifact.digest)}config.json`, '{"changed":true}');
  // Another host's cache, which does not have it yet.
  const launch = {
    ...(await world.launchRequest(3)),
    artifact,
    environment: { PAWL_MODEL_CACHE: join(folder, 'other') },
  };
  await world.serving().launch(launch);
  const log = async (): Promise<string> => {
    for await (const { key, host, epoch } of world.compute.list())
      if (key === launch.key) return (await world.compute.log({ compute: 'local', key, host, epoch }, 0, 10_000)).text;
    return '';
  };
  await expect.poll(log, { timeout: 30_000 }).toContain('trying again to read');
  expect((await world.serving().state('bot', 3)).phase).toBe('starting');
});
