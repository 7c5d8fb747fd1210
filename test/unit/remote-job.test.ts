import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { awaitJob } from '../../activities/remote-job/await-job.js';
import { hostKeyOf, readClaim } from '../../activities/remote-job/claim.js';
import type { RemoteJobPlan } from '../../activities/remote-job/job-file.js';
import { reapJobs } from '../../activities/remote-job/reaper.js';
import { readJobResult } from '../../activities/remote-job/result.js';
import { releaseJob } from '../../activities/remote-job/release-job.js';
import { submitJob } from '../../activities/remote-job/submit-job.js';
import { SystemError } from '../../dag/failures.js';
import { MemoryCompute } from '../../systems/compute/memory.js';
import type { MemoryJob } from '../../systems/compute/memory.js';
import type { Compute } from '../../systems/compute/port.js';
import { jobResultKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { jobContext } from '../fixtures/job-context.js';

const places = { gpus: 1, memoryBytes: 1024 };
const plan: RemoteJobPlan = {
  compute: 'gpu',
  command: ['train'],
  files: {},
  inputs: {},
  outputs: { model: 's3://bucket/models/m/artifacts/{digest}/' },
  settings: {},
  wants: { gpus: 1, memoryBytes: 1 },
  timeLimitMs: 60_000,
  hostGraceMs: 150,
};
const key = 'run-1.fine-tune.0';

/** The same compute, with some methods replaced. */
const withMethods = (compute: Compute, methods: Partial<Compute>): Compute =>
  new Proxy(compute, {
    get(target, name) {
      const member: unknown = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });

describe('a remote job', () => {
  let objects: MemoryObjectStore;
  let started: { epoch: number; job: MemoryJob }[];
  /** What the program does; it is the runner and the program in one. */
  let program: (job: MemoryJob, epoch: number) => Promise<number>;
  let compute: MemoryCompute;

  const forever = async ({ signal }: MemoryJob): Promise<number> => {
    await sleep(60_000, undefined, { signal, ref: false });
    return 0;
  };
  const succeed = async (epoch: number, result: object = {}): Promise<number> => {
    const body = JSON.stringify({ schema: 1, key, epoch, result, outputs: {} });
    await objects.put(jobResultKey('test', key, epoch), body);
    return 0;
  };
  const context = (attempt = 1) => jobContext({ objects, compute, key, attempt });

  beforeEach(() => {
    objects = new MemoryObjectStore('pawl');
    started = [];
    program = forever;
    compute = new MemoryCompute({
      name: 'gpu',
      hosts: { 'gpu-1': places, 'gpu-2': places },
      programs: {
        '{python}': (job) => {
          const { epoch } = JSON.parse(job.files.get('job.json') ?? '') as { epoch: number };
          started.push({ epoch, job });
          return program(job, epoch);
        },
      },
    });
  });

  it('gives the result of the epoch that is claimed, with the progress on the way', async () => {
    program = async (job, epoch) => {
      job.write('PAWL-PROGRESS {"step":1}\nhello\nPAWL-PROGRESS {"step":2}\n');
      return await succeed(epoch, { loss: 1 });
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
    expect(started).toHaveLength(1);
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
    expect(started).toHaveLength(1);
  });

  it('joins on the claimed host when a worker died before it noted the submission', async () => {
    const first = await submitJob(plan, context());
    const stored = await readClaim({ objects, environment: 'test', key });
    const current = { ...stored!.claim.current!, submitted: false };
    await objects.put('jobs/test/run-1.fine-tune.0/claim.json', JSON.stringify({ ...stored!.claim, current }));
    expect(await submitJob(plan, context())).toEqual(first);
    expect(started).toHaveLength(1);
  });

  it.each([
    [65, 'InvalidInput', false],
    [75, 'JobFailed', true],
    [77, 'PermissionDenied', false],
    [124, 'JobTimedOut', false],
    [3, 'JobFailed', true],
  ])('tells exit code %i as %s, with the last lines of the log', async (exitCode, type, retryable) => {
    program = async (job) => {
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
    program = async () => 0;
    await submitJob(plan, context());
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'JobFailed', message: /without a result/ });
  });

  it('begins a failed job anew for a higher submission only, under the next epoch', async () => {
    program = async (_, epoch) => (epoch === 1 ? 75 : await succeed(epoch));
    const first = await submitJob(plan, context());
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'JobFailed' });
    expect(await submitJob(plan, context(1))).toEqual(first);
    expect(await submitJob(plan, context(2))).toMatchObject({ epoch: 2 });
    expect(await awaitJob(plan, context(2))).toMatchObject({ epoch: 2 });
    expect(started.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  it('waits for a host that is away within its grace time', async () => {
    program = async (_, epoch) => {
      await sleep(400);
      return await succeed(epoch);
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
    await succeed(1, { from: 'the host that came back late' });
    compute.setAway(host, false);
    setTimeout(() => void succeed(2, { from: 'its successor' }).then(() => compute.end(moved, { graceMs: 0 })), 200);
    expect(await awaitJob(plan, context(2))).toMatchObject({ epoch: 2, result: { from: 'its successor' } });
  });

  it('follows the claim when another submission has moved the job on', async () => {
    const first = await submitJob(plan, context());
    const waiting = awaitJob({ ...plan, hostGraceMs: 600_000 }, context());
    compute.setAway(first.host, true);
    await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'HostLost' });
    program = async (_, epoch) => await succeed(epoch);
    await submitJob(plan, context(2));
    await succeed(1);
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
    expect(started).toHaveLength(1);
  });

  it('does not wait for a host that was restarted, and may use it again', async () => {
    const first = await submitJob(plan, context());
    compute.restart(first.host);
    await expect(awaitJob({ ...plan, hostGraceMs: 600_000 }, context())).rejects.toMatchObject({ type: 'HostLost' });
    expect(await submitJob(plan, context(2))).toMatchObject({ epoch: 2 });
  });

  it('takes the result of a job that ended just before its host was lost', async () => {
    program = async (_, epoch) => {
      await succeed(epoch);
      return await sleep(60_000, 0, { ref: false });
    };
    const { host } = await submitJob(plan, context());
    compute.setAway(host, true);
    expect(await awaitJob(plan, context())).toMatchObject({ epoch: 1 });
  });

  it('ends a frozen program and begins it anew', async () => {
    const { host, epoch } = await submitJob(plan, context());
    await expect(awaitJob({ ...plan, stallMs: 200 }, context())).rejects.toMatchObject({
      type: 'JobFailed',
      retryable: true,
      message: /stood still/,
    });
    const ref = { compute: 'gpu', host, key: hostKeyOf('test', key), epoch };
    expect(await compute.state(ref)).toMatchObject({ phase: 'exited' });
    expect(await submitJob(plan, context(2))).toMatchObject({ epoch: 2 });
  });

  describe('that is silent', () => {
    const waitFor = async (waiting: ReturnType<typeof context>, waitMs: number) => {
      const { host, epoch } = await submitJob(plan, context());
      const signal = AbortSignal.timeout(waitMs);
      const failure: unknown = await awaitJob({ ...plan, stallMs: 200 }, { ...waiting, signal }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBe(signal.reason);
      const ref = { compute: 'gpu', host, key: hostKeyOf('test', key), epoch };
      expect(await compute.state(ref)).toMatchObject({ phase: 'running' });
    };

    it('is not taken for frozen while its log cannot be read', async () => {
      const unread = withMethods(compute, {
        log: () => Promise.reject(new SystemError('Unavailable', 'it does not answer')),
      });
      await waitFor(jobContext({ objects, compute: unread, key }), 600);
    });

    it('is not taken for frozen because nobody had looked for long', async () => {
      const anHourAgo = Date.now() - 3_600_000;
      const lastProgress = {
        epoch: 1,
        host: 'gpu-1',
        logOffset: 0,
        lookedAtMs: anHourAgo,
        silentSinceMs: anHourAgo,
        heardAtMs: anHourAgo,
      };
      await waitFor({ ...context(), lastProgress }, 150);
    });
  });

  describe('that writes faster than it is read', () => {
    /** A log that never ends: every read finds as much as it asked for, and the end is far away. */
    const flood = (reads: number[]): Compute['log'] => {
      const filler = `${'x'.repeat(1023)}\n`;
      return async (_, offset, maxBytes) => {
        reads.push(offset);
        if (reads.length > 1_000) throw new Error('it reads on and on');
        const from = offset < 0 ? 2 ** 40 + offset : offset;
        const newest = offset < 0 ? 'PAWL-PROGRESS {"step":9}\n' : '';
        return { text: filler.repeat(maxBytes / 1024) + newest, nextOffset: from + maxBytes };
      };
    };

    it('is seen to be cancelled, and tells its newest progress', async () => {
      await submitJob(plan, context());
      const reads: number[] = [];
      const waiting = jobContext({ objects, compute: withMethods(compute, { log: flood(reads) }), key });
      const cancelled = AbortSignal.timeout(300);
      const failure: unknown = await awaitJob(plan, { ...waiting, signal: cancelled }).catch((error: unknown) => error);
      expect(failure).toBe(cancelled.reason);
      expect(reads.some((offset) => offset < 0)).toBe(true);
      expect(waiting.progress).toHaveBeenLastCalledWith(expect.objectContaining({ progress: { step: 9 } }));
    });

    it('is seen to end', async () => {
      program = async (_, epoch) => await succeed(epoch);
      await submitJob(plan, context());
      const waiting = jobContext({ objects, compute: withMethods(compute, { log: flood([]) }), key });
      expect(await awaitJob(plan, waiting)).toMatchObject({ epoch: 1 });
    });
  });

  it('begins a frozen program anew also where its host cannot end it', async () => {
    const { host } = await submitJob(plan, context());
    const end: Compute['end'] = async () => {
      throw new SystemError('Unavailable', 'it hangs in the kernel');
    };
    const hanging = jobContext({ objects, compute: withMethods(compute, { end }), key });
    await expect(awaitJob({ ...plan, stallMs: 200 }, hanging)).rejects.toMatchObject({
      type: 'JobFailed',
      message: /stood still.*it hangs in the kernel/,
    });
    const moved = await submitJob(plan, context(2));
    expect(moved).toMatchObject({ epoch: 2 });
    expect(moved.host).not.toBe(host);
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
      await succeed(1);
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

  describe('is released', () => {
    it('on every host that it was on, once and for all', async () => {
      const first = await submitJob(plan, context());
      compute.setAway(first.host, true);
      await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'HostLost' });
      const second = await submitJob(plan, context(2));
      compute.setAway(first.host, false);
      expect(await releaseJob(context(2))).toEqual({ unreachable: [] });
      expect(await Promise.all([compute.state(first), compute.state(second)])).toEqual([undefined, undefined]);
      expect(await releaseJob(context(2))).toEqual({ unreachable: [] });
      await expect(submitJob(plan, context(3))).rejects.toMatchObject({ type: 'Cancelled' });
      await expect(awaitJob(plan, context(3))).rejects.toMatchObject({ type: 'Cancelled' });
    });

    it('before it was ever submitted', async () => {
      await releaseJob(context());
      await expect(submitJob(plan, context())).rejects.toMatchObject({ type: 'Cancelled' });
      expect(started).toHaveLength(0);
    });

    it.each([
      ['has no room', new SystemError('NoCapacity', 'no room on gpu-1')],
      ['is away past the grace time', new SystemError('Unavailable', 'gpu-1 is away')],
    ])('for good, also where a submission wakes late and finds that its host %s', async (_, refusal) => {
      const late = vi.fn<Compute['submit']>().mockRejectedValue(new Error('it was submitted again'));
      late.mockImplementationOnce(async () => {
        await sleep(plan.hostGraceMs! + 20);
        await releaseJob(context());
        throw refusal;
      });
      const frozen = withMethods(compute, { submit: late });
      await expect(submitJob(plan, jobContext({ objects, compute: frozen, key }))).rejects.toMatchObject({
        type: 'Cancelled',
      });
      expect((await readClaim({ objects, environment: 'test', key }))?.claim).toMatchObject({
        released: true,
        current: { epoch: 1 },
      });
    });

    const checkpoint = async (epoch: number): Promise<void> => {
      await objects.put(`jobs/test/${key}/checkpoints/00000${epoch}/000001-a/COMPLETE`, '{}');
    };
    const left = async (): Promise<string[]> => {
      const found = [];
      for await (const object of objects.list(`jobs/test/${key}/`))
        found.push(object.key.slice(`jobs/test/${key}/`.length));
      return found;
    };

    it('with the end of its log kept, and its checkpoints dropped once it has succeeded', async () => {
      program = async (job, epoch) => {
        job.write('a line\n');
        await checkpoint(epoch);
        return await succeed(epoch);
      };
      await submitJob(plan, context());
      await awaitJob(plan, context());
      await releaseJob(context());
      expect(await left()).toEqual(['1/log.txt', '1/result.json', 'claim.json']);
    });

    it('with its checkpoints dropped though it failed: no epoch can go on from them any more', async () => {
      program = async (_, epoch) => {
        await checkpoint(epoch);
        return 75;
      };
      await submitJob(plan, context());
      await expect(awaitJob(plan, context())).rejects.toMatchObject({ type: 'JobFailed' });
      expect(await left()).toContain('checkpoints/000001/000001-a/COMPLETE');
      await releaseJob(context());
      expect(await left()).toEqual(['claim.json']);
    });

    it('with its checkpoints dropped once the program has ended, which may write one on its way out', async () => {
      program = async ({ signal }, epoch) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await checkpoint(epoch);
        return 143;
      };
      await submitJob(plan, context());
      await releaseJob(context());
      expect(await left()).toEqual(['claim.json']);
    });

    it('with the checkpoints of a host that is away dropped again once it is back', async () => {
      const { host } = await submitJob(plan, context());
      await checkpoint(1);
      compute.setAway(host, true);
      await releaseJob(context(), { patienceMs: 0 });
      expect(await left()).toEqual(['claim.json']);
      await checkpoint(1);
      compute.setAway(host, false);
      const { systems, log } = context();
      await reapJobs({
        objects,
        environment: 'test',
        compute: systems.compute,
        log,
        runStatus: async () => 'closed',
        serviceIsWanted: async () => true,
      });
      expect(await left()).toEqual(['claim.json']);
    });

    it('as far as hosts answer, and says which do not', async () => {
      const { host } = await submitJob(plan, context());
      compute.setAway(host, true);
      expect(await releaseJob(context(), { patienceMs: 0 })).toEqual({ unreachable: [host] });
    });

    it('at once where its host refuses us, since waiting does not mend that', async () => {
      const { host } = await submitJob(plan, context());
      const remove: Compute['remove'] = async () => {
        throw new SystemError('PermissionDenied', `${host} shows another key`);
      };
      const refusing = withMethods(compute, { remove });
      expect(await releaseJob(jobContext({ objects, compute: refusing, key }))).toEqual({ unreachable: [host] });
    });
  });

  describe('the reaper', () => {
    const reap = (runStatus: 'open' | 'closed' | 'unknown', wanted = true) => {
      const { systems, log } = context();
      return reapJobs({
        objects,
        environment: 'test',
        compute: systems.compute,
        log,
        runStatus: async () => runStatus,
        serviceIsWanted: async () => wanted,
        youngestServiceMs: 0,
      });
    };

    it('ends a batch job only when its run is known to be closed', async () => {
      const ref = await submitJob(plan, context());
      expect(await reap('open')).toEqual([]);
      expect(await reap('unknown')).toEqual([]);
      expect(await compute.state(ref)).toMatchObject({ phase: 'running' });
      expect(await reap('closed')).toMatchObject([{ key: 'test/run-1.fine-tune.0', kind: 'batch' }]);
      expect(await compute.state(ref)).toBeUndefined();
    });

    it('leaves jobs of other environments and jobs without a claim alone', async () => {
      const submission = {
        epoch: 1,
        kind: 'batch' as const,
        command: ['{python}'],
        environment: {},
        files: { 'job.json': '{"epoch":1}' },
        wants: { gpus: 0, memoryBytes: 1 },
        timeLimitMs: 60_000,
      };
      await compute.submit({ ...submission, key: 'prod/run-1.fine-tune.0' });
      await compute.submit({ ...submission, key: 'test/unclaimed' });
      expect(await reap('closed')).toEqual([]);
    });

    it('ends a service only when nobody wants it', async () => {
      const service = {
        key: 'm-7',
        epoch: 1,
        kind: 'service' as const,
        command: ['{python}'],
        environment: {},
        files: { 'job.json': '{"epoch":1}' },
        wants: { gpus: 0, memoryBytes: 1 },
      };
      const ref = await compute.submit(service);
      await sleep(5);
      expect(await reap('closed', true)).toEqual([]);
      expect(await reap('closed', false)).toMatchObject([{ key: 'm-7', kind: 'service' }]);
      expect(await compute.state(ref)).toBeUndefined();
    });
  });
});
