// The demo, once, for real: it has to end as it tells, lose no request, and leave no process behind.

import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { packageFile } from '../../deploy/embedded/package-file.js';

interface Run {
  readonly name: string;
  readonly outcome: string;
  readonly modelVersion: number | null;
  readonly durationMs: number;
}

/** Processes that carry the mark in their environment, as everything does that the demo starts, jobs included. */
async function marked(mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    if ((await read('environ')).includes(mark)) found.push((await read('cmdline')).replaceAll('\0', ' '));
  }
  return found;
}

// Long enough for a machine that has much else to do: it guards against a demo that hangs, and is no figure.
const guardMs = 1_800_000;

test(
  'tells the truth about five runs, loses no request, and leaves nothing running',
  async () => {
    // A variable that jobs inherit too, and that nothing reads.
    const mark = `LC_PAWL_DEMO=${process.pid}-${Date.now()}`;
    const [name = '', value = ''] = mark.split('=');
    const demo = spawn(process.execPath, ['--import', 'tsx', packageFile('examples/docs-router/demo.ts'), '--json'], {
      cwd: packageFile('.'),
      env: { ...process.env, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Ended by ctrl-C, as a person would, where the test ends first.
    onTestFinished(async () => {
      if (demo.exitCode !== null || demo.signalCode !== null) return;
      demo.kill('SIGINT');
      await once(demo, 'close');
    });
    const answers: string[] = [];
    const told: string[] = [];
    createInterface({ input: demo.stdout }).on('line', (line) => answers.push(line));
    createInterface({ input: demo.stderr }).on('line', (line) => told.push(line));
    const running = await Promise.race([once(demo.stderr, 'data').then(() => marked(mark)), once(demo, 'close')]);
    const [code] = (await once(demo, 'close')) as [number | null];
    expect({ code, told: code === 0 ? [] : told.slice(-30) }).toEqual({ code: 0, told: [] });

    const { runs, requests, champion } = JSON.parse(answers.at(-1) ?? '') as {
      runs: Run[];
      requests: { total: number; failed: number; lost: number };
      champion: number;
    };
    expect(runs.map((run) => [run.name, run.outcome, run.modelVersion])).toEqual([
      ['baseline', 'promoted', 1],
      ['good-recipe', 'promoted', 2],
      ['shuffled-labels', 'rejected', null],
      ['short-context', 'rolled-back', 3],
      ['rollback', 'rolled-back', 1],
    ]);
    expect(runs.every(({ durationMs }) => durationMs > 0)).toBe(true);
    expect(champion).toBe(1);
    expect(requests.lost).toBe(0);
    expect(requests.failed).toBeGreaterThan(0);
    expect(requests.failed).toBeLessThan(requests.total / 10);

    expect(running).not.toEqual([]);
    expect(await marked(mark)).toEqual([]);
  },
  guardMs,
);
