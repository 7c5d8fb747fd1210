// What `pawl logs` reads of a job's log.

import { beforeEach, expect, test } from 'vitest';
import { findJob, JobLog } from '../../../cli/job-log.js';
import type { RunView } from '../../../cli/run-view.js';
import { stepKey } from '../../../dag/step-key.js';
import type { Compute } from '../../../systems/compute/port.js';
import { jobClaimKey } from '../../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';

const run = { workflowId: 'life/dev/1', firstRunId: 'r1', steps: [] as RunView['steps'] } as RunView;
let log: string;
/** What the job writes while one read is under way. */
let meanwhile: string;
let reads: number;

const compute = {
  log: async (_job: unknown, offset: number, maxBytes: number) => {
    if (++reads > 100) throw new Error('it reads without end');
    const from = offset < 0 ? Math.max(0, log.length + offset) : offset;
    const text = log.slice(from, from + maxBytes);
    log += meanwhile;
    return { text, nextOffset: from + text.length };
  },
} as unknown as Compute;

async function jobLog(tailBytes: number): Promise<JobLog> {
  const objects = new MemoryObjectStore();
  const key = stepKey('r1', 'train');
  await objects.put(
    jobClaimKey('dev', key),
    JSON.stringify({
      schema: 1,
      key,
      run: { dag: 'life', workflowId: 'life/dev/1', runId: 'r1' },
      current: {
        ...{ compute: 'gpu', host: 'h', epoch: 1, submission: 1, settingsDigest: 'd', submitted: true },
        claimedAt: new Date().toISOString(),
      },
      earlier: [],
      released: false,
    }),
  );
  const systems = { environment: 'dev', objects, compute: { get: () => compute, names: ['gpu'] } };
  return new JobLog(systems, run, { step: 'train', tailBytes });
}

beforeEach(() => {
  log = '';
  meanwhile = '';
  reads = 0;
});

test('of a job that writes faster than it is read, what was there at the beginning is read, and the rest the next time', async () => {
  log = 'a'.repeat(600_000);
  meanwhile = 'b'.repeat(300_000);
  const all = await jobLog(Infinity);
  const first = (await all.read()).text;
  expect(first).toBe('a'.repeat(600_000));
  meanwhile = '';
  const second = (await all.read()).text;
  expect(first + second).toBe(log);
});

test('its last bytes alone are read at first, and then what comes', async () => {
  log = 'x'.repeat(300_000) + 'end';
  const tail = await jobLog(3);
  expect((await tail.read()).text).toBe('end');
  expect((await tail.read()).text).toBe('');
  log += ' more';
  expect((await tail.read()).text).toBe(' more');
});

test('that there is none yet is said of a run that goes on, and that there was none of one that is over', async () => {
  const { systems } = await jobLog(64);
  const of = (outcome: string) => findJob(systems, { ...run, outcome }, undefined);
  await expect(of('running')).rejects.toThrow(/No step of the run life\/dev\/1 has begun a job yet/);
  await expect(of('failed')).rejects.toThrow(/The run life\/dev\/1 is over, and none of its steps had a job/);
});

test('an empty log is no text', async () => {
  expect((await (await jobLog(64)).read()).text).toBe('');
});
