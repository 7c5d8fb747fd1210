// How a job's log is listened to: a program that stands still is ended, and nobody is taken for frozen who was only not heard.

import { beforeEach, describe, expect, it } from 'vitest';
import { awaitJob } from '../../activities/remote-job/await-job.js';
import { hostKeyOf } from '../../activities/remote-job/claim.js';
import { submitJob } from '../../activities/remote-job/submit-job.js';
import { SystemError } from '../../dag/failures.js';
import type { Compute } from '../../systems/compute/port.js';
import { JobBench, key, plan, withMethods } from '../fixtures/job-bench.js';
import { jobContext } from '../fixtures/job-context.js';

describe('the log of a remote job', () => {
  let bench: JobBench;
  let objects: JobBench['objects'];
  let compute: JobBench['compute'];
  let context: JobBench['context'];

  beforeEach(() => {
    bench = new JobBench();
    ({ objects, compute, context } = bench);
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
      bench.program = async (_, epoch) => await bench.succeed(epoch);
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
});
