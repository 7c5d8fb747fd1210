import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openBench, openBucket, recordOf, resultOf, type Bench } from './engine-fixture.js';
import type { CrashSettings } from './crash-worker.js';

let bench: Bench;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-crash-'));
  bench = await openBench([], { objects: await openBucket(), withoutWorker: true });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

function startWorker(name: string): ChildProcess {
  const settings: CrashSettings = {
    address: inject('temporal').address,
    taskQueue: bench.taskQueue,
    folder,
    name,
    s3: { ...inject('s3'), bucket: bench.objects.bucketName },
  };
  const program = fileURLToPath(new URL('crash-worker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(settings)], { stdio: 'inherit' });
  children.push(child);
  return child;
}

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
};

const notes = async (): Promise<string[]> =>
  (await readFile(join(folder, 'notes'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
const noted = (line: string) => expect.poll(notes, { timeout: 40_000 }).toContain(line);

describe('a run whose worker is killed', () => {
  it('goes on with another worker from where it was, and repeats no step that had ended', async () => {
    const run = await bench.start('crashing');
    const first = startWorker('first');
    await noted('first chew');
    await end(first, 'SIGKILL');
    const second = startWorker('second');
    await noted('second await');
    // The second death is while a job is watched: another worker watches it on, and submits nothing.
    await end(second, 'SIGKILL');
    const third = startWorker('third');
    expect((await resultOf(run)).output).toEqual({ attempt: 2, resumedFrom: 41, by: 'third' });
    expect(await notes()).toEqual([
      'first prepare',
      'first chew',
      'second chew',
      'second submit 1',
      'second await',
      'third await',
      'third release',
    ]);
    expect(await recordOf(bench, run)).toMatchObject({ status: 'completed', steps: { chew: { attempts: 2 } } });
    await end(third, 'SIGTERM');
    expect(third.exitCode).toBe(0);
  });
});
