// What the supervisor does where a host is in trouble: its own code, with small bounds, or with one call of the kernel refused.

import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalCompute } from '../../systems/compute/local.js';
import type { Compute, JobRef, JobSubmission } from '../../systems/compute/port.js';
import { processRecords } from '../fixtures/supervised-host.js';
import { until } from '../fixtures/until.js';

const kib = 1024;
const smallLogs = `
job_log.LOG_KEPT_BYTES, job_log.LOG_FIRST_BYTES, job_log.LOG_NEWEST_BYTES = 512 << 10, 64 << 10, 256 << 10
keeper.LOG_CHECK_S = 0.1
`;
const withoutHoles = `
def refused(*_):
    raise OSError(errno.EOPNOTSUPP, "this file system makes no holes")
kernel.punch_hole = refused
`;
/** As the kernel does with a process that sleeps uninterruptibly: signals wait. */
const unkillable = `
kernel.send = lambda *_: None
job.KILLED_WITHIN_S = keeper.DEFAULT_GRACE_S = 0.5
`;

/** Writes numbered lines of 64 bytes, as many as are asked for. */
const talk = `
import sys, time
first, count = int(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + count):
    sys.stdout.write("line %010d %s\\n" % (number, "ü" * 24))
sys.stdout.write("end of %d\\n" % (first + count))
sys.stdout.flush()
open("said.all", "w").close()
time.sleep(600)
`;

describe('the supervisor of a host in trouble', () => {
  let folder: string;
  let root: string;
  let compute: Compute;
  let refs: JobRef[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-supervisor-'));
    root = join(folder, 'root');
    refs = [];
  });
  afterEach(async () => {
    await supervise('');
    for (const ref of refs) await compute.remove(ref);
    await rm(folder, { recursive: true, force: true });
  });

  /** The supervisor with some names of its modules bound to something else. */
  async function supervise(change: string): Promise<void> {
    const python = join(folder, 'python');
    const program = `#!/usr/bin/env python3
import errno, os, runpy, sys
sys.dont_write_bytecode = True
sys.argv = sys.argv[-2:]
sys.path.insert(0, sys.argv[0])
import job, job_log, keeper, kernel
${change}
runpy.run_path(sys.argv[0], run_name="__main__")
`;
    await writeFile(python, program);
    await chmod(python, 0o755);
    compute = new LocalCompute({ name: 'local', root, places: { gpus: 1, memoryBytes: 2 ** 30 }, python });
  }

  async function submit(
    command: readonly string[],
    files: Readonly<Record<string, string>> = {},
    over: Partial<JobSubmission> = {},
  ): Promise<JobRef> {
    const ref = await compute.submit({
      key: `job-${refs.length}`,
      epoch: 1,
      kind: 'service',
      command,
      environment: {},
      files,
      wants: { gpus: 1, memoryBytes: 1 },
      ...over,
    });
    refs.push(ref);
    return ref;
  }

  const logFile = async (): Promise<string> => join(root, 'jobs', (await readdir(join(root, 'jobs')))[0] ?? '', 'log');
  const saidAll = async (): Promise<boolean> => existsSync(join(await logFile(), '..', 'work', 'said.all'));
  const bytesOnDisk = async (): Promise<number> => (await stat(await logFile())).blocks * 512;

  async function readOn(ref: JobRef, offset: number): Promise<{ text: string; offset: number }> {
    let text = '';
    for (;;) {
      const more = await compute.log(ref, offset, 100 * kib);
      if (more.nextOffset === offset) return { text, offset };
      expect(more.nextOffset).toBeGreaterThan(offset);
      text += more.text;
      offset = more.nextOffset;
    }
  }

  describe.each([
    ['a file system that makes holes', '', true],
    ['a file system that makes none', withoutHoles, false],
  ])('bounds the log of a job on %s', (_, change, hasHoles) => {
    const lineBytes = 65;
    const lines = 40_000;

    it('keeps its beginning and its end, says what was left out, and goes on counting', async () => {
      await supervise(smallLogs + change);
      const ref = await submit(['{python}', 'talk.py', '0', String(lines)], { 'talk.py': talk });
      const endOfLog = lines * lineBytes + `end of ${lines}\n`.length;
      await until('a small log', async () => (await saidAll()) && (await bytesOnDisk()) <= 512 * kib);
      const { text, offset } = await readOn(ref, 0);
      // Where the file is cut short, what is written at that very moment goes uncounted.
      if (hasHoles) {
        expect(offset).toBe(endOfLog);
        expect(text.endsWith(`\nend of ${lines}\n`)).toBe(true);
      }
      expect(text).toMatch(/^line 0000000000 ü+\nline 0000000001 /);
      expect(text).not.toContain('\0');
      expect(text).not.toContain('\uFFFD\uFFFD');
      const [, leftOut] = /^\[Here (\d+) bytes of the log were left out/m.exec(text) ?? [];
      expect(Number(leftOut)).toBeGreaterThan(offset - 512 * kib - 1);
      expect(text.length).toBeLessThan(512 * kib);
      // Whoever had read up to somewhere in between goes on with what is there.
      const late = await readOn(ref, lines * lineBytes - 600 * kib);
      expect(late.offset).toBe(offset);
      expect(late.text).toMatch(/^\n\[Here \d+ bytes of the log were left out/);
      const tail = await compute.log(ref, -10, 10);
      expect(tail.nextOffset).toBe(offset);
    });

    it('also once the keeper is gone: the program goes on, and whoever looks next takes its place', async () => {
      await supervise(smallLogs + change);
      const script = 'read first < go.fifo; {python} talk.py 0 20000';
      const words = ['sh', '-c', `mkfifo go.fifo; ${script}`];
      const ref = await submit(words, { 'talk.py': talk });
      const [record] = await processRecords(root);
      process.kill(record!.keeperPid, 'SIGKILL');
      await until('the end of the keeper', async () => {
        try {
          process.kill(record!.keeperPid, 0);
          return false;
        } catch {
          return true;
        }
      });
      await writeFile(join(await logFile(), '..', 'work', 'go.fifo'), 'go\n');
      await until('a small log', async () => {
        const state = await compute.state(ref);
        expect(state?.phase).toBe('running');
        return (await saidAll()) && (await bytesOnDisk()) <= 512 * kib;
      });
      expect((await readOn(ref, 0)).text).toMatch(/^\[Here \d+ bytes of the log were left out/m);
    });
  });

  it('counts what a program writes while its log is cut short', async () => {
    const late = 'said while the note was written\n';
    // The keeper looks once all is said, so that the only words in between are these.
    const speaksMeanwhile = `
write_note, bound = job_log.write_json, job_log.Log.bound
def noted(path, data):
    write_note(path, data)
    if data["to"] == 40000 * 65 + 13:
        with open(path.replace("log-gap.json", "log"), "ab") as log:
            log.write(b${JSON.stringify(late)})
def bound_late(self):
    if os.path.exists(os.path.join(os.path.dirname(self.path), "work", "said.all")):
        bound(self)
job_log.write_json, job_log.Log.bound = noted, bound_late
`;
    await supervise(smallLogs + withoutHoles + speaksMeanwhile);
    const ref = await submit(['{python}', 'talk.py', '0', '40000'], { 'talk.py': talk });
    await until('a small log', async () => (await saidAll()) && (await bytesOnDisk()) <= 512 * kib);
    await until('the count', async () => (await compute.log(ref, -1, 1)).nextOffset === 40_000 * 65 + 13 + late.length);
  });

  describe('with a program that cannot be killed', () => {
    const placesTaken = async (): Promise<number> => 1 - ((await compute.capacity())[0]?.free.gpus ?? 0);

    it('neither ends nor removes it, and keeps its place taken until it is gone', async () => {
      await supervise(unkillable);
      const ref = await submit(['sleep', '600']);
      await expect(compute.end(ref, { graceMs: 0 })).rejects.toMatchObject({ type: 'Unavailable', message: /still/ });
      await expect(compute.remove(ref)).rejects.toMatchObject({ type: 'Unavailable' });
      expect(await compute.state(ref)).toMatchObject({ phase: 'running' });
      expect(await placesTaken()).toBe(1);
      await expect(submit(['true'], {}, { key: ref.key, epoch: 2 })).rejects.toMatchObject({ type: 'NoCapacity' });
      await supervise('');
      await compute.remove(ref);
      expect(await compute.state(ref)).toBeUndefined();
      expect(await placesTaken()).toBe(0);
    });

    it('does not say that it ended at its time limit', async () => {
      await supervise(`${unkillable}
kept_write_exit = job.Job.write_exit
def write_exit(one, *rest):
    open(os.path.join(one.host.root, "said"), "w").close()
    kept_write_exit(one, *rest)
job.Job.write_exit = write_exit
kept_terminate = job.Job.terminate
def terminate(one, grace_s):
    left = kept_terminate(one, grace_s)
    open(os.path.join(one.host.root, "tried"), "a").write("x")
    return left
job.Job.terminate = terminate
`);
      const ref = await submit(['sleep', '600'], {}, { kind: 'batch', timeLimitMs: 100 });
      await until('two tries', async () => (await readFile(join(root, 'tried'), 'utf8')).length > 1);
      expect(await readdir(root)).not.toContain('said');
      expect(await compute.state(ref)).toMatchObject({ phase: 'running' });
      expect(await placesTaken()).toBe(1);
      await supervise('');
      await compute.end(ref, { graceMs: 0 });
      expect(await compute.state(ref)).toMatchObject({ phase: 'exited', exitCode: 124, timedOut: true });
    });
  });
});
