import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../dag/failures.js';
import * as keys from '../../systems/object-store/keys.js';

const refused = (build: () => unknown): SystemError => {
  try {
    build();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

describe('object keys', () => {
  it('joins segments, in any script', () => {
    expect(keys.objectKey('runs', 'dev', 'größe ä', '日本.json')).toBe('runs/dev/größe ä/日本.json');
    expect(keys.objectKey('a...b', '.hidden', '..x', '50%', '%41')).toBe('a...b/.hidden/..x/50%/%41');
  });

  it.each([
    '',
    '.',
    '..',
    'a/b',
    '/a',
    'a\0',
    'a\nb',
    'a\x7f',
    'a\x85',
    'a\\b',
    '%2e%2e',
    '%2E',
    'x%2fy',
    '%5C',
    '%00',
    '%252e',
    '%25252F',
    '\ud800',
  ])('refuses the segment %j with one sentence that says InvalidInput', (segment) => {
    const error = refused(() => keys.objectKey('models', segment, 'x'));
    expect(error.type).toBe('InvalidInput');
    expect(error.message).toMatch(/^The .+\.$/s);
    refused(() => keys.versionKey(segment, 1));
    refused(() => keys.endpointKey('dev', segment));
    refused(() => keys.runKey('dev', 'dag', segment));
  });

  it('refuses a key of more than 1,024 bytes, and takes one of exactly that', () => {
    expect(keys.objectKey('a'.repeat(512), 'ä'.repeat(254), 'b')).toHaveLength(512 + 1 + 254 + 1 + 1);
    expect(keys.checkKey('a'.repeat(1024))).toHaveLength(1024);
    expect(refused(() => keys.checkKey('a'.repeat(1025))).message).toMatch(/1024 bytes/);
    expect(refused(() => keys.checkKey('ä'.repeat(513))).type).toBe('InvalidInput');
  });

  it('never lets what a user names leave the folder that it belongs to', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.constantFrom('..', '.', '', 'a/../..', '%2e%2e/x', 'a\\..'),
    );
    fc.assert(
      fc.property(name, name, (model, environment) => {
        let key: string;
        try {
          key = keys.endpointKey(environment, model);
        } catch (error) {
          expect(error).toMatchObject({ type: 'InvalidInput' });
          return;
        }
        const segments = key.split('/');
        expect(segments).toEqual(['endpoints', environment, `${model}.json`]);
        expect(
          new URL(`http://s3/bucket/${key.split('/').map(encodeURIComponent).join('/')}`).pathname.split('/'),
        ).toHaveLength(5);
        expect(Buffer.from(key).toString()).toBe(key);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives every object of the bucket its place', () => {
    expect({
      endpoint: keys.endpointKey('prod', 'bot'),
      history: keys.endpointHistoryKey('prod', 'bot', 42),
      serving: keys.servingKey('prod', 'bot', 7),
      version: keys.versionKey('bot', 7),
      artifact: keys.artifactPrefix('bot', 'abc'),
      file: keys.fileKey(keys.artifactPrefix('bot', 'abc'), 'adapter/weights.safetensors'),
      aliases: keys.aliasesKey('bot', 'prod'),
      manifest: keys.datasetManifestKey('bot', 'd1'),
      quarantine: keys.quarantineKey('bot', 'f1'),
      latest: keys.latestDatasetKey('bot', 'prod'),
      claim: keys.jobClaimKey('prod', 'run-step-1'),
      result: keys.jobResultKey('prod', 'run-step-1', 2),
      checkpoints: keys.jobCheckpointsPrefix('prod', 'run-step-1'),
      evaluation: keys.evaluationPrefix('prod', 'run-step-1'),
      run: keys.runKey('prod', 'model-lifecycle', 'r1'),
    }).toEqual({
      endpoint: 'endpoints/prod/bot.json',
      history: 'endpoints/prod/bot/history/0000000042.json',
      serving: 'serving/prod/bot/000007.json',
      version: 'models/bot/versions/000007.json',
      artifact: 'models/bot/artifacts/abc/',
      file: 'models/bot/artifacts/abc/adapter/weights.safetensors',
      aliases: 'models/bot/aliases/prod.json',
      manifest: 'datasets/bot/d1/manifest.json',
      quarantine: 'datasets/bot/inputs/f1/quarantine.jsonl',
      latest: 'datasets/bot/latest/prod.json',
      claim: 'jobs/prod/run-step-1/claim.json',
      result: 'jobs/prod/run-step-1/2/result.json',
      checkpoints: 'jobs/prod/run-step-1/checkpoints/',
      evaluation: 'evaluations/prod/run-step-1/',
      run: 'runs/prod/model-lifecycle/r1.json',
    });
  });

  it('refuses a model whose name ends like an object of its neighbour, and numbers that do not fit', () => {
    expect(refused(() => keys.endpointKey('dev', 'bot.json')).message).toContain('.json');
    refused(() => keys.versionKey('bot', 1_000_000));
    refused(() => keys.versionKey('bot', -1));
    refused(() => keys.versionKey('bot', 1.5));
    refused(() => keys.endpointHistoryKey('dev', 'bot', 1e10));
  });

  it('refuses paths of files that leave their folder', () => {
    for (const path of ['../x', 'a/../../x', '/x', '', 'a//b', 'a/./b'])
      refused(() => keys.fileKey('models/bot/artifacts/abc/', path));
  });
});

describe('S3 addresses', () => {
  it('are read and written', () => {
    expect(keys.parseS3Uri('s3://lake/tickets/2026/')).toEqual({ bucket: 'lake', key: 'tickets/2026/' });
    expect(keys.parseS3Uri('s3://lake')).toEqual({ bucket: 'lake', key: '' });
    expect(keys.s3Uri('lake', 'tickets/2026/')).toBe('s3://lake/tickets/2026/');
  });

  it.each([
    '',
    'lake/x',
    'https://lake/x',
    's3:///x',
    's3://La_ke/x',
    's3://a..b/x',
    's3://lake/../x',
    's3://lake//x',
    's3://lake/a%2e%2e/b',
  ])('refuses %j', (uri) => {
    expect(refused(() => keys.parseS3Uri(uri)).type).toBe('InvalidInput');
  });
});
