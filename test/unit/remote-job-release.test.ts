// A job is let go of for good: by its step, on every host that it was on, or by the reaper once its run is over.

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { awaitJob } from '../../activities/remote-job/await-job.js';
import { readClaim } from '../../activities/remote-job/claim.js';
import { reapJobs } from '../../activities/remote-job/reaper.js';
import { releaseJob } from '../../activities/remote-job/release-job.js';
import { submitJob } from '../../activities/remote-job/submit-job.js';
import { SystemError } from '../../dag/failures.js';
import type { Compute } from '../../systems/compute/port.js';
import { JobBench, key, plan, withMethods } from '../fixtures/job-bench.js';
import { jobContext } from '../fixtures/job-context.js';

describe('a remote job that nobody waits for', () => {
  let bench: JobBench;
  let objects: JobBench['objects'];
  let compute: JobBench['compute'];
  let context: JobBench['context'];

  beforeEach(() => {
    bench = new JobBench();
    ({ objects, compute, context } = bench);
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
      expect(bench.started).toHaveLength(0);
    });

    it.each([
      ['has no room', new SystemError('NoCapacity', 'no room on gpu-1')],
      ['is away past the grace time', new SystemError('Unavailable', 'gpu-1 is away')],
    ])('for good, also where a submission wakes late and finds that its host %s', async (_, refusal) => {
      const late = vi.fn<Compute['submit']>().mockRejectedValue(new Error('it was submitted again'));
      late.mockImplementationOnce(async () => {
        await sleep(plan.hostGraceMs + 20);
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
      bench.program = async (job, epoch) => {
        job.write('a line\n');
        await checkpoint(epoch);
        return await bench.succeed(epoch);
      };
      await submitJob(plan, context());
      await awaitJob(plan, context());
      await releaseJob(context());
      expect(await left()).toEqual(['1/log.txt', '1/result.json', 'claim.json']);
    });

    it('with its checkpoints dropped though it failed: no epoch can go on from them any more', async () => {
      bench.program = async (_, epoch) => {
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
      bench.program = async ({ signal }, epoch) => {
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
