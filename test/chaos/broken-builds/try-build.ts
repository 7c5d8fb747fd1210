// Runs one chaos test on a broken copy of the sources and says whether it failed as it should. Everything that the test writes
// lies in one folder, which is gone afterwards, and so is every process that works in it.

import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import { startGuardedProcess } from '../../../deploy/embedded/child-process.js';
import type { BrokenBuild } from './builds.js';
import { applyEdits, copySources } from './copy-sources.js';

type Judgement =
  | { readonly found: true; readonly sentence: string }
  | { readonly found: false; readonly why: string; readonly outputTail: string };
export type Verdict = Judgement & { readonly leftRunning: number };

/** Longer than any of the tests takes. */
const limitMs = 20 * 60_000;
const tailLines = 60;

/** What vitest's JSON reporter writes. */
const report = z.object({
  testResults: z.array(z.object({ message: z.string(), assertionResults: z.array(z.object({ status: z.string() })) })),
});

export async function tryBuild(root: string, build: BrokenBuild, stopping: AbortSignal): Promise<Verdict> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'pawl-broken-')));
  let leftRunning = 0;
  let judgement: Judgement;
  try {
    const sources = join(folder, 'sources');
    await mkdir(join(folder, 'tmp'));
    await copySources(root, sources);
    await applyEdits(sources, build.edits);
    judgement = judge(build, await runTest(folder, build, stopping));
  } finally {
    leftRunning = await endProcessesIn(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
  return { ...judgement, leftRunning };
}

interface Ran {
  readonly ended: string;
  readonly output: string;
  /** Passed or failed, itself or in its `beforeAll`. */
  readonly executed: boolean;
}

async function runTest(folder: string, { test }: BrokenBuild, stopping: AbortSignal): Promise<Ran> {
  const sources = join(folder, 'sources');
  const reportFile = join(folder, 'report.json');
  const name = test.name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${reportFile}`];
  const vitest = join(sources, 'node_modules/vitest/vitest.mjs');
  const lines: string[] = [];
  const child = await startGuardedProcess({
    command: process.execPath,
    args: [vitest, 'run', '--project', 'chaos', test.file, '-t', name, ...reporters],
    cwd: sources,
    env: {
      ...process.env,
      TMPDIR: join(folder, 'tmp'),
      NO_COLOR: '1',
      ...(test.sites === undefined ? {} : { PAWL_CHAOS_SITES: test.sites }),
    },
    onLine: (line) => lines.push(stripVTControlCharacters(line)),
  });
  const stop = (): void => void child.stop(30_000);
  const late = setTimeout(stop, limitMs);
  stopping.addEventListener('abort', stop);
  const ended = await child.waitUntilEnded();
  stopping.removeEventListener('abort', stop);
  clearTimeout(late);
  return { ended, output: lines.join('\n'), executed: await wasExecuted(reportFile) };
}

async function wasExecuted(reportFile: string): Promise<boolean> {
  const text = await readFile(reportFile, 'utf8').catch(() => '{"testResults":[]}');
  return report
    .parse(JSON.parse(text))
    .testResults.some(
      ({ message, assertionResults }) =>
        message !== '' || assertionResults.some(({ status }) => status === 'passed' || status === 'failed'),
    );
}

function judge({ test, sentence }: BrokenBuild, { ended, output, executed }: Ran): Judgement {
  const missed = (why: string): Judgement => ({
    found: false,
    why,
    outputTail: output.split('\n').slice(-tailLines).join('\n'),
  });
  if (!executed) return missed(`no test of ${test.file} named "${test.name}" was run (${ended})`);
  if (ended === 'exit code 0') return missed(`${test.file} passed`);
  const said = sentence.exec(output)?.[0];
  if (said === undefined) return missed(`${test.file} failed without the checker's sentence (${ended})`);
  return { found: true, sentence: said };
}

/** How many there were. */
async function endProcessesIn(folder: string): Promise<number> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(
    ids.map(async (id) => ({ id: Number(id), at: await readlink(`/proc/${id}/cwd`).catch(() => '') })),
  );
  const left = places.filter(({ at }) => at.startsWith(`${folder}/`));
  for (const { id } of left) kill(id);
  return left.length;
}

/** One that ended meanwhile is fine. */
function kill(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
