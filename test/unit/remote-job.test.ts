// A remote job is submitted once, whatever dies in between, and its end is told truly, wherever it goes on.

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { awaitJob } from '../../activities/remote-job/await-job.js';
import { readClaim } from '../../activities/remote-job/claim.js';
import { readJobResult } from '../../activities/remote-job/result.js';
import { submitJob } from '../../activities/remote-job/submit-job.js';
import { SystemError } from '../../dag/failures.js';
import type { Compute } from '../../systems/compute/port.js';
import { jobResultKey } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { JobBench, key, places, plan, withMethods } from '../fixtures/job-bench.js';
import { jobContext } from '../fixtures/job-context.js';

describe('a remote job', () => {
  let bench: JobBench;
  let objects: JobBench['objects'];
  let compute: JobBench['compute'];
  let context: JobBench['context'];

  beforeEach(() => {
    bench = new JobBench();
    ({ objects, compute, context } = bench);
  });

  it('gives the result of the epoch that is claimed, with the progress on the way', async () => {
    bench.program = async (job, epoch) => {
      job.write('PAWL-PROGRESS {"step":1}\nhello\nPAWL-PROGRESS {"step":2}\n');
      return await bench.succeed(epoch, { loss: 1 });
    };
    await submitJob(plan, context());
    const waiting = context();
    expect(await awaitJob(plan, waiting)).toMatchObject({ epoch: 1, result: { loss: 1 } });
    expect(waiting.progress).toHaveBeenLastCalledWith(expect.objectContaining({ progress: { step: 2 }, epoch: 1 }));
  });

  it('starts one program, however often it is submitted', async () => {
    const refs = await Promise.all([
      submitJob(plan, context()),
      submitJob(plan, context()),
      submitJob(plan, context()),
    ]);
    expect(new Set(refs.map((ref) => JSON.stringify(ref))).size).toBe(1);
    expect(await submitJob(plan, context())).toEqual(refs[0]);
    expect(bench.started).toHaveLength(1);
  });

  it('writes the claim, host included, before the host is told', async () => {
    const submit: Compute['submit'] = async (job, options) => {
      expect((await readClaim({ objects, environment: 'test', key }))?.claim.current).toMatchObject({
        epoch: job.epoch,
        host: options?.host,
        submitted: false,
      });
      throw new Error('the worker dies here');
    };
    const dying = withMethods(compute, { submit });
    await expect(submitJob(plan, jobContext({ objects, compute: dying, key }))).rejects.toThrow('the worker dies here');
    const ref = await submitJob(plan, context());
    expect(ref).toMatchObject({ epoch: 1 });
    expect(bench.started).toHaveLength(1);
  });

  it('joins on the claimed host when a worker died before it noted the submission', async () => {
    const first = await submitJob(plan, context());
    const stored = await readClaim({ objects, environment: 'test', key });
    const current = { ...stored!.claim.current!, submitted: false };
    await objects.put('jobs/test/run-1.fine-tune.0/claim.json', JSON.stringify({ ...stored!.claim, current }));
    expect(await submitJob(plan, context())).toEqual(first);
    expect(bench.started).toHaveLength(1);
  });

  it.each([
    [65, 'InvalidInput', false],
    [75, 'JobFailed', true],
    [77, 'PermissionDenied', false],
    [124, 'JobTimedOut', false],
    [3, 'JobFailed', true],
  ])('tells exit code %i as %s, with the last lines of the log', async (exitCode, type, retryable) => {
    bench.program = async (job) => {
      job.write('epoch 1\nerror: column text is missing\n');
      return exitCode;
    };
    await submitJob(plan, context());
    await expect(awaitJob(plan, context())).rejects.toMatchObject({
      type,
      retryable,
      message: expect.stringMatching(/: column text is missing$/) as string,
      details: { exitCode, log: ['epoch 1', 'error: column text is missing'] },
    });
  });

  it('counts an end with 0 and no result as a failure', async () => {
    bench.program = async () => 0;
    await submitJob(plan, context());
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'JobFailed', message: /without a result/ });
  });

  it('begins a failed job anew for a higher submission only, under the next epoch', async () => {
    bench.program = async (_, epoch) => (epoch === 1 ? 75 : await bench.succeed(epoch));
    const first = await submitJob(plan, context());
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'JobFailed' });
    expect(await submitJob(plan, context(1))).toEqual(first);
    expect(await submitJob(plan, context(2))).toMatchObject({ epoch: 2 });
    expect(await awaitJob(plan, context(2))).toMatchObject({ epoch: 2 });
    expect(bench.started.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  it('waits for a host that is away within its grace time', async () => {
    bench.program = async (_, epoch) => {
      await sleep(400);
      return await bench.succeed(epoch);
    };
    const { host } = await submitJob(plan, context());
    compute.setAway(host, true);
    setTimeout(() => compute.setAway(host, false), 300);
    expect(await awaitJob({ ...plan, hostGraceMs: 10_000 }, context())).toMatchObject({ epoch: 1 });
  });

  it('moves a job from a lost host to another one, and ignores the result of the one that comes back late', async () => {
    const { host } = await submitJob(plan, context());
    compute.setAway(host, true);
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'HostLost' });
    const moved = await submitJob(plan, context(2));
    expect(moved).toMatchObject({ epoch: 2 });
    expect(moved.host).not.toBe(host);
    await bench.succeed(1, { from: 'the host that came back late' });
    compute.setAway(host, false);
    setTimeout(
      () => void bench.succeed(2, { from: 'its successor' }).then(() => compute.end(moved, { graceMs: 0 })),
      200,
    );
    expect(await awaitJob(plan, context(2))).toMatchObject({ epoch: 2, result: { from: 'its successor' } });
  });

  it('moves a job on whose host was taken out of the settings, and does not fail for a worker that does not know it yet', async () => {
    const { host } = await submitJob(plan, context());
    const other = new JobBench(objects, [host === 'gpu-1' ? 'gpu-2' : 'gpu-1']);
    await expect(awaitJob(plan, other.context())).rejects.toMatchObject({ type: 'HostLost', retryable: true });
    expect(await submitJob(plan, other.context(2))).toMatchObject({ epoch: 2 });
    expect(other.started).toHaveLength(1);
  });

  it('follows the claim when another submission has moved the job on', async () => {
    const first = await submitJob(plan, context());
    const waiting = awaitJob({ ...plan, hostGraceMs: 600_000 }, context());
    compute.setAway(first.host, true);
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'HostLost' });
    bench.program = async (_, epoch) => await bench.succeed(epoch);
    await submitJob(plan, context(2));
    await bench.succeed(1);
    compute.setAway(first.host, false);
    await compute.end(first, { graceMs: 0 });
    expect(await waiting).toMatchObject({ epoch: 2 });
  });

  it('goes on with a job whose host came back before another was begun', async () => {
    const first = await submitJob(plan, context());
    compute.setAway(first.host, true);
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'HostLost' });
    compute.setAway(first.host, false);
    expect(await submitJob(plan, context(2))).toEqual(first);
    expect(bench.started).toHaveLength(1);
  });

  it('does not wait for a host that was restarted, and may use it again', async () => {
    const first = await submitJob(plan, context());
    compute.restart(first.host);
    await expect(awaitJob({ ...plan, hostGraceMs: 600_000 }, context())).rejects.toMatchObject({ type: 'HostLost' });
    expect(await submitJob(plan, context(2))).toMatchObject({ epoch: 2 });
  });

  it('takes the result of a job that ended just before its host was lost', async () => {
    bench.program = async (_, epoch) => {
      await bench.succeed(epoch);
      return await sleep(60_000, 0, { ref: false });
    };
    const { host } = await submitJob(plan, context());
    compute.setAway(host, true);
    expect(await awaitJob(plan, context())).toMatchObject({ epoch: 1 });
  });

  it('keeps the place on another host while the claimed one is full', async () => {
    const pick: Compute['pick'] = async (_, options) =>
      options?.avoid?.includes('gpu-1') === true ? 'gpu-2' : 'gpu-1';
    const busy = withMethods(compute, { pick });
    const other = {
      key: 'other',
      epoch: 1,
      kind: 'batch' as const,
      command: ['{python}'],
      environment: {},
      files: { 'job.json': '{"epoch":0}' },
      wants: places,
      timeLimitMs: 60_000,
    };
    await compute.submit(other, { host: 'gpu-1' });
    expect(await submitJob(plan, jobContext({ objects, compute: busy, key }))).toMatchObject({
      host: 'gpu-2',
      epoch: 2,
    });
  });

  it('throws NoCapacity, and starts nothing, while no host has room', async () => {
    await submitJob(plan, jobContext({ objects, compute, key: 'a' }));
    await submitJob(plan, jobContext({ objects, compute, key: 'b' }));
    await expect(submitJob(plan, context())).rejects.toMatchObject({ type: 'NoCapacity', retryable: true });
    expect(await readClaim({ objects, environment: 'test', key })).toBeUndefined();
  });

  it('stops waiting when it is cancelled', async () => {
    await submitJob(plan, context());
    const cancelled = AbortSignal.timeout(200);
    const failure: unknown = await awaitJob(plan, { ...context(), signal: cancelled }).catch((error: unknown) => error);
    expect(failure).toBe(cancelled.reason);
  });

  it('refuses an output that a late host could write over', async () => {
    const outputs = { model: 's3://bucket/models/m/' };
    await expect(submitJob({ ...plan, outputs }, context())).rejects.toMatchObject({
      type: 'InvalidInput',
      message: /\{digest\}/,
    });
  });

  describe('reads its claim and its result', () => {
    const address = (store: ObjectStore) => ({ objects: store, environment: 'test', key });
    const answering = (get: ObjectStore['get']): ObjectStore =>
      new Proxy<ObjectStore>(objects, {
        get: (target, name) => {
          const member: unknown = name === 'get' ? get : Reflect.get(target, name);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      });

    it('and takes no missing bucket for a job that was never claimed', async () => {
      const gone = answering(async () => {
        throw new SystemError('NotFound', 'There is no bucket pawl.', { details: { missing: 'bucket' } });
      });
      await expect(readClaim(address(gone))).rejects.toMatchObject({ type: 'NotFound' });
      await expect(readJobResult(address(gone), 1)).rejects.toMatchObject({ type: 'NotFound' });
    });

    it('again where their bytes were damaged on the way', async () => {
      await submitJob(plan, context());
      await bench.succeed(1);
      let damaged = false;
      const noisy = answering(async (name) => {
        damaged = !damaged;
        if (damaged) throw new SystemError('IntegrityFailed', `The bytes of ${name} are not those that were put.`);
        return await objects.get(name);
      });
      expect((await readClaim(address(noisy)))?.claim.current).toMatchObject({ epoch: 1 });
      expect(await readJobResult(address(noisy), 1)).toMatchObject({ epoch: 1 });
    });

    it('and says what to do about one that cannot be read', async () => {
      await objects.put(`jobs/test/${key}/claim.json`, '{"schema":7}');
      await expect(readClaim(address(objects))).rejects.toMatchObject({
        type: 'Corrupt',
        message: /see whether its job still runs, then delete it/,
      });
      await objects.put(
        jobResultKey('test', key, 1),
        JSON.stringify({ schema: 1, key: 'other', epoch: 1, result: {}, outputs: {} }),
      );
      await expect(readJobResult(address(objects), 1)).rejects.toMatchObject({ type: 'Corrupt' });
    });
  });
});
