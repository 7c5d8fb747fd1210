// Remote jobs on real servers: a small Python program through run_job.py, on this machine and over SSH, with a real S3.

import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { awaitJob } from '../../activities/remote-job/await-job.js';
import { hostKeyOf } from '../../activities/remote-job/claim.js';
import type { RemoteJobPlan } from '../../activities/remote-job/job-file.js';
import { releaseJob } from '../../activities/remote-job/release-job.js';
import { readJobResult } from '../../activities/remote-job/result.js';
import { submitJob } from '../../activities/remote-job/submit-job.js';
import { digestOf, sha256Hex } from '../../dag/digest.js';
import { ensurePython } from '../../deploy/embedded/python.js';
import { LocalCompute } from '../../systems/compute/local.js';
import type { Compute, JobRef } from '../../systems/compute/port.js';
import { SshCompute } from '../../systems/compute/ssh.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { until } from '../fixtures/until.js';
import { jobContext } from '../fixtures/job-context.js';
import { startSshd } from '../fixtures/sshd.js';
import type { Sshd } from '../fixtures/sshd.js';

const places = { gpus: 0, memoryBytes: 4 * 2 ** 30 };
const program = new URL('../programs/tiny_train.py', import.meta.url);

describe('a remote job', () => {
  let folder: string;
  let python: string;
  let objects: S3ObjectStore;
  let local: LocalCompute;
  let secrets: Record<string, string>;
  let key: string;
  let plan: RemoteJobPlan;

  beforeAll(async () => {
    const { endpoint, region, accessKeyId, secretAccessKey } = inject('s3');
    ({ python } = await ensurePython());
    folder = await mkdtemp(join(tmpdir(), 'pawl-jobs-'));
    objects = new S3ObjectStore({
      bucket: `jobs-${randomUUID()}`,
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
    });
    await objects.createBucketIfMissing();
    secrets = {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    local = new LocalCompute({ name: 'gpu', root: join(folder, 'local'), places, python, environment: () => secrets });
    const text = '{"text":"a"}\n{"text":"b"}\n';
    await objects.put('datasets/m/1/train.jsonl', text);
    await objects.put('datasets/m/1/deep/more.jsonl', text);
    const file = (path: string) => ({ path, sizeBytes: text.length, sha256: sha256Hex(text) });
    await objects.put(
      'datasets/m/1/manifest.json',
      JSON.stringify({ files: [file('train.jsonl'), file('deep/more.jsonl')] }),
    );
    const source = await readFile(program, 'utf8');
    plan = {
      compute: 'gpu',
      command: ['{python}', 'tiny_train.py'],
      files: { 'tiny_train.py': source },
      inputs: { dataset: `s3://${objects.bucketName}/datasets/m/1/` },
      outputs: { model: `s3://${objects.bucketName}/models/m/artifacts/{digest}/` },
      settings: { steps: 3 },
      wants: { gpus: 0, memoryBytes: 1024 },
      timeLimitMs: 120_000,
      hostGraceMs: 500,
      checkpointEveryMs: 200,
      stagingRetryMs: 10_000,
    };
  });
  afterEach(() => releaseJob(context(local)));
  afterAll(async () => {
    objects.close();
    await rm(folder, { recursive: true, force: true });
  });

  const context = (compute: Compute, attempt = 1) => jobContext({ objects, compute, key, attempt });
  const newKey = () => (key = `run.${randomUUID()}.0`);
  const address = () => ({ objects, environment: 'test', key });
  const logOf = async (compute: Compute, ref: JobRef) => (await compute.log(ref, 0, 1_000_000)).text;
  const read = async (objectKey: string) => (await buffer((await objects.get(objectKey)).body)).toString('utf8');
  const checkpoints = async (): Promise<string[]> => {
    const found = [];
    for await (const { key: name } of objects.list(`jobs/test/${key}/checkpoints/`))
      if (name.endsWith('/COMPLETE')) found.push(name.split('/checkpoints/')[1] ?? '');
    return found;
  };

  it('brings its inputs, and ships outputs and result with a digest of every file', async () => {
    newKey();
    await submitJob(plan, context(local));
    const waiting = context(local);
    const { result, outputs } = await awaitJob(plan, waiting);
    expect(result).toEqual({ rows: 4, startedAt: 0, loss: null });
    expect(waiting.progress.mock.calls.map(([details]) => details)).toContainEqual(
      expect.objectContaining({ progress: { step: 3, steps: 3 } }),
    );
    const model = outputs['model']!;
    expect(model.uri).toBe(`s3://${objects.bucketName}/models/m/artifacts/${model.digest}/`);
    const prefix = `models/m/artifacts/${model.digest}`;
    const index = JSON.parse(await read(`${prefix}/artifact.json`)) as { files: { path: string; sha256: string }[] };
    expect(index).toMatchObject({ schema: 1, digest: model.digest, sizeBytes: model.sizeBytes });
    expect(index.files.map(({ path }) => path)).toEqual(['nested/größe.txt', 'weights.json']);
    expect(digestOf(index.files)).toBe(model.digest);
    for (const { path, sha256 } of index.files) {
      expect(sha256Hex(await read(`${prefix}/${path}`))).toBe(sha256);
      expect((await objects.head(`${prefix}/${path}`))?.sha256).toBe(sha256);
    }
  });

  it('is started once, though its worker dies between the claim and the submission, and right after that', async () => {
    newKey();
    const dying = (when: 'before' | 'after'): Compute =>
      new Proxy<Compute>(local, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (name !== 'submit') return typeof member === 'function' ? (member.bind(target) as unknown) : member;
          return async (...submission: Parameters<Compute['submit']>) => {
            if (when === 'after') await target.submit(...submission);
            throw new Error(`the worker dies ${when} the submission`);
          };
        },
      });
    await expect(submitJob(plan, context(dying('before')))).rejects.toThrow('dies before');
    await expect(submitJob(plan, context(dying('after')))).rejects.toThrow('dies after');
    const ref = await submitJob(plan, context(local));
    expect(await awaitJob(plan, context(local))).toMatchObject({ epoch: 1 });
    expect((await logOf(local, ref)).match(/starting at/g)).toHaveLength(1);
  });

  it('goes on from its last checkpoint after passing trouble, and keeps two of them', async () => {
    newKey();
    const failing = { ...plan, settings: { steps: 6, failAt: 4, failWith: 75, stepSeconds: 0.3 } };
    await submitJob(failing, context(local));
    await expect(awaitJob(failing, context(local))).rejects.toMatchObject({
      type: 'JobFailed',
      retryable: true,
      message: /passing trouble: it was told to fail$/,
    });
    const kept = await checkpoints();
    expect(kept).toHaveLength(2);
    expect(kept.at(-1)).toMatch(/^000001\/\d{6}-step-000004\/COMPLETE$/);
    await submitJob(failing, context(local, 2));
    expect(await awaitJob(failing, context(local, 2))).toMatchObject({ epoch: 2, result: { startedAt: 4 } });
  });

  it('ships what was saved last when it is asked to end', async () => {
    newKey();
    const patient = { ...plan, settings: { steps: 9, pauseAt: 2 }, checkpointEveryMs: 60_000 };
    const ref = await submitJob(patient, context(local));
    await until('the pause', async () => (await logOf(local, ref)).includes('pausing'));
    const before = await checkpoints();
    await local.end(ref);
    expect((await local.state(ref))?.phase).toBe('exited');
    expect(before.some((name) => name.includes('step-000002'))).toBe(false);
    expect((await checkpoints()).at(-1)).toContain('step-000002');
    await releaseJob(context(local));
    expect(await checkpoints()).toEqual([]);
  });

  it('refuses pickled weights by what is in them', async () => {
    newKey();
    const unsafe = { ...plan, settings: { steps: 1, leavePickle: true } };
    await submitJob(unsafe, context(local));
    await expect(awaitJob(unsafe, context(local))).rejects.toMatchObject({
      type: 'InvalidInput',
      message: /optimizer\.json is a pickle/,
    });
    expect(await readJobResult(address(), 1)).toBeUndefined();
  });

  it('does not start on an input whose bytes do not match their digest', async () => {
    newKey();
    await objects.put('datasets/m/2/train.jsonl', 'other bytes\n');
    const files = [{ path: 'train.jsonl', sizeBytes: 12, sha256: sha256Hex('the bytes that were meant') }];
    await objects.put('datasets/m/2/manifest.json', JSON.stringify({ files }));
    const damaged = { ...plan, inputs: { dataset: `s3://${objects.bucketName}/datasets/m/2/` }, stagingRetryMs: 500 };
    await submitJob(damaged, context(local));
    await expect(awaitJob(damaged, context(local))).rejects.toMatchObject({ message: /do not match its SHA-256/ });
  });

  it('says that an input is not there, and does not try again', async () => {
    newKey();
    const missing = { ...plan, inputs: { dataset: `s3://${objects.bucketName}/datasets/none/` } };
    await submitJob(missing, context(local));
    await expect(awaitJob(missing, context(local))).rejects.toMatchObject({
      type: 'InvalidInput',
      message: /there is nothing at/,
    });
  });

  it.each([
    ['an S3 that does not answer', { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }, 'JobFailed'],
    ['credentials that S3 refuses', { AWS_SECRET_ACCESS_KEY: 'wrong' }, 'PermissionDenied'],
  ])('tells %s from a failure of its own', async (_, environment, type) => {
    newKey();
    const cut = { ...plan, environment, stagingRetryMs: 500 };
    await submitJob(cut, context(local));
    await expect(awaitJob(cut, context(local))).rejects.toMatchObject({ type });
  });

  describe('on two hosts', () => {
    let hosts: Sshd[];
    let compute: SshCompute;

    beforeAll(async () => {
      hosts = await Promise.all([startSshd(), startSshd()]);
      compute = new SshCompute({
        name: 'gpu',
        hosts: hosts.map(({ access }, index) => ({
          name: `gpu-${index}`,
          access,
          root: join(folder, `gpu-${index}`),
          places,
          python,
        })),
        environment: () => secrets,
      });
    });
    afterAll(async () => {
      await compute.close();
      await Promise.all(hosts.map((host) => host.close()));
    });

    it('moves on when its host is lost, and the result of the one that comes back late does not count', async () => {
      newKey();
      const long = { ...plan, settings: { steps: 16, stepSeconds: 0.5 } };
      const first = await submitJob(long, context(compute));
      await until('a checkpoint', async () => (await checkpoints()).length > 0);
      const host = hosts[Number(first.host.at(-1))]!;
      await host.stop();
      await expect(awaitJob(long, context(compute))).rejects.toMatchObject({ type: 'HostLost' });
      const second = await submitJob(long, context(compute, 2));
      expect(second.host).not.toBe(first.host);
      await host.start();
      const late = await until('the late result', () => readJobResult(address(), 1), 60_000);
      expect(late.result).toMatchObject({ startedAt: 0 });
      const counted = await awaitJob(long, context(compute, 2));
      expect(counted.epoch).toBe(2);
      expect(counted.result['startedAt']).toBeGreaterThan(0);
      expect(await releaseJob(context(compute, 2))).toEqual({ unreachable: [] });
      const left = [];
      for await (const listing of compute.list()) left.push(listing.key);
      expect(left).not.toContain(hostKeyOf('test', key));
    });
  });
});
