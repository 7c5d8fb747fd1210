// What every Compute has to do, whatever it runs on. A harness says how to make one and how to shake its host.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Compute, JobRef, JobState, JobSubmission } from '../../systems/compute/port.js';
import { processRecords } from '../fixtures/supervised-host.js';
import { until } from '../fixtures/until.js';

export interface ComputeHarness {
  readonly compute: Compute;
  /** The root folder of the host, where jobs are processes. */
  readonly root?: string;
  /** Another Compute over the same hosts, as a worker that was started anew would have. */
  reopen(): Compute;
  /** The kernel comes up anew. */
  restartHost(): Promise<void>;
  /** The host stops answering, and answers again. */
  loseHost(): Promise<void>;
  findHost(): Promise<void>;
  close(): Promise<void>;
}

export interface ComputeSuite {
  readonly name: string;
  /** With one host of 2 GPUs and 4 GiB. */
  open(): Promise<ComputeHarness>;
  /** Why jobs are no real processes here, if they are not. */
  readonly withoutProcesses?: string;
  /** Why the host cannot be away, if it cannot. */
  readonly alwaysThere?: string;
}

const program = new URL('../programs/behave.py', import.meta.url);
const gib = 2 ** 30;
const pids = z.array(z.number());
const told = z.object({
  arguments: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  folder: z.string(),
});

export function computeContract(suite: ComputeSuite): void {
  describe(`${suite.name} compute`, () => {
    let harness: ComputeHarness;
    let compute: Compute;
    let behave: string;
    let counter = 0;
    const submitted: JobRef[] = [];

    beforeAll(async () => {
      behave = await readFile(program, 'utf8');
      harness = await suite.open();
      compute = harness.compute;
    });
    afterAll(async () => {
      for (const ref of submitted) await compute.end(ref, { graceMs: 0 });
      await harness.close();
    });

    const job = (words: readonly string[], over: Partial<JobSubmission> = {}): JobSubmission => ({
      key: `job-${counter++}`,
      epoch: 1,
      kind: 'batch',
      command: ['{python}', 'behave.py', ...words],
      environment: {},
      files: { 'behave.py': behave },
      wants: { gpus: 0, memoryBytes: 1024 },
      timeLimitMs: 60_000,
      ...over,
    });
    const submit = async (submission: JobSubmission): Promise<JobRef> => {
      const ref = await compute.submit(submission);
      submitted.push(ref);
      return ref;
    };
    const exited = (ref: JobRef) =>
      until('the end of the job', async () => {
        const state = await compute.state(ref);
        return state?.phase === 'exited' && state;
      });
    const phase = (state: JobState | undefined): string | undefined => state?.phase;
    const logged = (ref: JobRef, word: string) =>
      until(`'${word}' in the log`, async () => (await compute.log(ref, 0, 10_000)).text.includes(word));

    it('tells the exit code of a program', async () => {
      expect(await exited(await submit(job(['exit', '0'])))).toMatchObject({ exitCode: 0, timedOut: false });
      expect(await exited(await submit(job(['exit', '65'])))).toMatchObject({ exitCode: 65, timedOut: false });
    });

    it('answers undefined for a job that the host never saw', async () => {
      const { host } = await submit(job(['exit', '0']));
      expect(await compute.state({ compute: compute.name, host, key: 'never', epoch: 1 })).toBeUndefined();
    });

    it('takes a host that its settings do not name for one that is away', async () => {
      const submission = job(['wait']);
      const ref = { compute: compute.name, host: 'taken-out', key: submission.key, epoch: 1 };
      expect(await compute.state(ref)).toMatchObject({ phase: 'lost', host: 'taken-out' });
      expect(await compute.state(ref)).not.toHaveProperty('gone');
      await expect(compute.submit(submission, { host: 'taken-out' })).rejects.toMatchObject({ type: 'Unavailable' });
      await expect(compute.remove(ref)).rejects.toMatchObject({ type: 'Unavailable' });
    });

    it('lets a second submission under the same key and epoch join the first, also after its end', async () => {
      const submission = job(['wait']);
      const first = await submit(submission);
      const before = await compute.state(first);
      expect(await compute.submit({ ...submission, command: ['{python}', 'behave.py', 'exit', '9'] })).toEqual(first);
      expect(await compute.state(first)).toEqual(before);
      await compute.end(first, { graceMs: 0 });
      const ended = await exited(first);
      expect(await harness.reopen().submit(submission)).toEqual(first);
      expect(await compute.state(first)).toEqual(ended);
    });

    it('lets exactly one of many racing submissions start the program', async () => {
      const submission = job(['wait'], { wants: { gpus: 1, memoryBytes: gib } });
      await Promise.all(Array.from({ length: 4 }, () => submit(submission)));
      const [capacity] = await compute.capacity();
      expect(capacity?.free.gpus).toBe(1);
      await compute.end(submitted.at(-1)!, { graceMs: 0 });
    });

    it('refuses an epoch older than one that it has seen, and ends what the older one runs', async () => {
      const old = await submit(job(['wait']));
      await submit(job(['exit', '0'], { key: old.key, epoch: 2 }));
      expect(phase(await compute.state(old))).toBe('exited');
      await expect(compute.submit(job(['wait'], { key: old.key }))).rejects.toMatchObject({ type: 'Conflict' });
    });

    it('keeps a batch job removed, and lets a service be launched again', async () => {
      const batch = job(['wait']);
      await compute.remove(await submit(batch));
      await expect(compute.submit(batch)).rejects.toMatchObject({ type: 'Conflict' });
      const service = job(['wait'], { kind: 'service' });
      const ref = await submit(service);
      await compute.remove(ref);
      expect(await compute.state(ref)).toBeUndefined();
      await submit(service);
      expect(phase(await compute.state(ref))).toBe('running');
      await compute.end(ref, { graceMs: 0 });
    });

    it('refuses a submission that comes after its removal', async () => {
      const { host } = await submit(job(['exit', '0']));
      const late = job(['wait']);
      await compute.remove({ compute: compute.name, host, key: late.key, epoch: 1 });
      await expect(compute.submit(late)).rejects.toMatchObject({ type: 'Conflict' });
    });

    it('goes on when the worker that submitted has gone', async () => {
      const ref = await submit(job(['wait']));
      expect(phase(await harness.reopen().state(ref))).toBe('running');
      await compute.end(ref, { graceMs: 0 });
    });

    it('ends a program that ignores SIGTERM, and is content with one that has ended', async () => {
      const ref = await submit(job(['stubborn']));
      await logged(ref, 'waiting');
      await compute.end(ref, { graceMs: 300 });
      expect(await exited(ref)).toMatchObject({ exitCode: 137, timedOut: false });
      await compute.end(ref);
    });

    it('ends a program at its hard time limit', async () => {
      const ref = await submit(job(['wait'], { timeLimitMs: 500 }));
      expect(await exited(ref)).toMatchObject({ exitCode: 124, timedOut: true });
    });

    it('gives the log from an offset on, and its end by a negative one', async () => {
      const ref = await submit(job(['print', 'first ü second']));
      await exited(ref);
      const whole = await compute.log(ref, 0, 10_000);
      expect(whole.text).toContain('first ü second');
      expect(whole.text).toContain('to standard error');
      const start = Buffer.byteLength(whole.text.slice(0, whole.text.indexOf('second')));
      expect((await compute.log(ref, start, 6)).text).toBe('second');
      expect(await compute.log(ref, whole.nextOffset, 100)).toEqual({ text: '', nextOffset: whole.nextOffset });
      expect((await compute.log(ref, -6, 100)).text).toBe(whole.text.slice(-6));
    });

    it('reads a file of the job, and none outside of its folder', async () => {
      const ref = await submit(job(['exit', '0'], { files: { 'behave.py': behave, 'notes/a.txt': 'kept' } }));
      await exited(ref);
      expect(await compute.readFile(ref, 'notes/a.txt')).toBe('kept');
      expect(await compute.readFile(ref, 'notes/b.txt')).toBeUndefined();
      for (const path of ['../job.json', '/etc/passwd', 'notes/../../job.json', 'a\\b', 'a\0', '.', '']) {
        await expect(compute.readFile(ref, path), path).rejects.toMatchObject({ type: 'InvalidInput' });
        await expect(compute.submit(job([], { files: { [path]: '' } })), path).rejects.toMatchObject({
          type: 'InvalidInput',
        });
      }
    });

    it('refuses a batch job without a time limit', async () => {
      const { timeLimitMs: _, ...unlimited } = job(['wait']);
      await expect(compute.submit(unlimited)).rejects.toMatchObject({ type: 'InvalidInput' });
    });

    it('counts places before anything starts, and gives them back at the end', async () => {
      const both = await submit(job(['wait'], { wants: { gpus: 2, memoryBytes: gib } }));
      const third = job(['wait'], { wants: { gpus: 1, memoryBytes: gib } });
      await expect(compute.submit(third)).rejects.toMatchObject({ type: 'NoCapacity', retryable: true });
      await expect(compute.submit(third, { host: both.host })).rejects.toMatchObject({ type: 'NoCapacity' });
      expect(await compute.state({ ...both, key: third.key })).toBeUndefined();
      await expect(compute.submit(job(['wait'], { wants: { gpus: 0, memoryBytes: 3.5 * gib } }))).rejects.toMatchObject(
        {
          type: 'NoCapacity',
        },
      );
      await expect(compute.pick({ gpus: 3, memoryBytes: 1 })).rejects.toMatchObject({
        type: 'NoCapacity',
        retryable: false,
      });
      await compute.end(both, { graceMs: 0 });
      await exited(both);
      await compute.end(await submit(third), { graceMs: 0 });
    });

    it('names hosts with room, but for those to avoid', async () => {
      const host = await compute.pick({ gpus: 1, memoryBytes: gib });
      expect((await compute.capacity()).map((capacity) => capacity.host)).toContain(host);
      await expect(compute.pick({ gpus: 1, memoryBytes: gib }, { avoid: [host] })).rejects.toMatchObject({
        type: 'NoCapacity',
      });
    });

    it('lists its jobs', async () => {
      const ref = await submit(job(['wait'], { kind: 'service' }));
      const listed = [];
      for await (const listing of compute.list()) listed.push(listing);
      expect(listed).toContainEqual({
        key: ref.key,
        epoch: 1,
        kind: 'service',
        host: ref.host,
        state: await compute.state(ref),
      });
      await compute.end(ref, { graceMs: 0 });
    });

    it('says that a job is lost for good after its host was restarted', async () => {
      const ref = await submit(job(['wait']));
      await harness.restartHost();
      expect(await compute.state(ref)).toMatchObject({ phase: 'lost', gone: true });
      const [capacity] = await compute.capacity();
      expect(capacity?.free).toEqual(capacity?.declared);
    });

    it.skipIf(suite.alwaysThere !== undefined)(
      'says that a job is lost while its host is away, and finds it again',
      async () => {
        const ref = await submit(job(['wait']));
        await harness.loseHost();
        try {
          const state = await compute.state(ref);
          expect(state).toMatchObject({ phase: 'lost' });
          expect(state).not.toHaveProperty('gone');
          await expect(compute.log(ref, 0, 10)).rejects.toMatchObject({ type: 'Unavailable' });
          expect((await compute.capacity())[0]).toMatchObject({ reachable: false });
        } finally {
          await harness.findHost();
        }
        expect(phase(await compute.state(ref))).toBe('running');
        await compute.end(ref, { graceMs: 0 });
      },
    );

    describe.skipIf(suite.withoutProcesses !== undefined)('with real processes', () => {
      const alive = (pid: number): Promise<boolean> =>
        readFile(`/proc/${pid}/stat`, 'utf8').then(
          (stat) => !/\) [ZX] /.test(stat),
          () => false,
        );
      const familyOf = async (ref: JobRef): Promise<number[]> => {
        const text = await until('its processes', () => compute.readFile(ref, 'pids.json'));
        const family = pids.parse(JSON.parse(text));
        expect(await Promise.all(family.map(alive))).toEqual([true, true, true]);
        return family;
      };

      it.each([[['family']], [['family', 'frozen']]])(
        'ends children and strays with the program: %s',
        async (words) => {
          const ref = await submit(job(words));
          const family = await familyOf(ref);
          await compute.end(ref, { graceMs: 500 });
          expect(await Promise.all(family.map(alive))).toEqual([false, false, false]);
          await exited(ref);
        },
      );

      it('ends the whole group at the hard time limit', async () => {
        const ref = await submit(job(['family'], { timeLimitMs: 6_000 }));
        const family = await familyOf(ref);
        expect(await exited(ref)).toMatchObject({ exitCode: 124, timedOut: true });
        expect(await Promise.all(family.map(alive))).toEqual([false, false, false]);
      });

      it('tells 128 and the signal that ended a program, and 127 where there is none to start', async () => {
        expect(await exited(await submit(job(['signal', '11'])))).toMatchObject({ exitCode: 139 });
        const missing = await submit(job([], { command: ['no-such-program'] }));
        expect(await exited(missing)).toMatchObject({ exitCode: 127 });
        expect((await compute.log(missing, 0, 1_000)).text).toContain("'no-such-program' did not start");
      });

      it('passes what looks like shell on, word for word', async () => {
        const nasty = `'; touch /tmp/pawl-owned; echo "$(id)" \`id\` \\ \n && exit 3 #`;
        const ref = await submit(
          job(['tell', nasty, '{dir}', '*'], { key: `job ${nasty}`, environment: { NASTY: nasty } }),
        );
        expect(await exited(ref)).toMatchObject({ exitCode: 0 });
        const report = told.parse(JSON.parse((await compute.readFile(ref, 'told.json')) ?? ''));
        expect(report.arguments).toEqual([nasty, report.folder, '*']);
        expect(report.environment['NASTY']).toBe(nasty);
        await expect(readFile('/tmp/pawl-owned')).rejects.toThrow();
        await expect(compute.submit(job(['tell'], { environment: { 'A;B': '' } }))).rejects.toMatchObject({
          type: 'InvalidInput',
        });
      });

      it('gives each job GPUs of its own', async () => {
        const wants = { gpus: 1, memoryBytes: 1024 };
        const first = await submit(job(['tell'], { kind: 'service', wants }));
        const holder = await submit(job(['wait'], { wants }));
        const second = await submit(job(['tell'], { wants }));
        const gpu = async (ref: JobRef): Promise<string | undefined> => {
          const text = await until('its report', () => compute.readFile(ref, 'told.json'));
          return told.parse(JSON.parse(text)).environment['CUDA_VISIBLE_DEVICES'];
        };
        await exited(first);
        expect(['0', '1']).toContain(await gpu(second));
        const third = await submit(job(['tell'], { wants: { gpus: 0, memoryBytes: 1 } }));
        expect(await gpu(third)).toBe('');
        await compute.end(holder, { graceMs: 0 });
      });

      it('tells where a service is to be reached', async () => {
        const ref = await submit(job(['serve', '{host}', '{port}'], { kind: 'service' }));
        const state = await compute.state(ref);
        if (state?.phase !== 'running' || state.url === undefined) throw new Error('the service has no address');
        const { url } = state;
        const text = await until('an answer', () =>
          fetch(url).then(
            (answer) => answer.text(),
            () => undefined,
          ),
        );
        expect(text).toBe('served');
        await compute.end(ref, { graceMs: 0 });
      });

      it('watches over a program whose supervisor was killed: it runs on, within its limit', async () => {
        const ref = await submit(job(['wait'], { timeLimitMs: 3_000 }));
        await logged(ref, 'waiting');
        await killKeepers(ref);
        expect(phase(await compute.state(ref))).toBe('running');
        expect(await exited(ref)).toMatchObject({ exitCode: 124, timedOut: true });
      });

      it('says that a job is lost when it went together with its supervisor', async () => {
        const ref = await submit(job(['family']));
        const family = await familyOf(ref);
        await killKeepers(ref);
        process.kill(family[0]!, 'SIGKILL');
        expect(
          await until('the loss', async () => {
            const state = await compute.state(ref);
            return state?.phase === 'lost' && state;
          }),
        ).toMatchObject({ gone: true });
        expect(await Promise.all(family.map(alive))).toEqual([false, false, false]);
      });

      async function killKeepers(ref: JobRef): Promise<void> {
        const [record] = (await processRecords(harness.root ?? '')).filter(({ key }) => key === ref.key);
        if (record === undefined) throw new Error(`found no keeper of ${ref.key}`);
        process.kill(record.keeperPid, 'SIGKILL');
        await until('the end of the keeper', async () => !(await alive(record.keeperPid)));
      }
    });
  });
}
