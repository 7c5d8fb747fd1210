// Runs one bench in a folder of its own, and undoes all that it set up, whether or not it came to its end.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Skipped, type Bench, type BenchResult, type Report } from './report.js';

const nothing: Report = { aimed: [], figures: [], notes: [] };

/** Never throws: what went wrong stands in the result. */
export async function runBench(
  bench: Bench,
  { quick, say }: { readonly quick: boolean; readonly say: (line: string) => void },
): Promise<BenchResult> {
  const { name, title } = bench;
  const startedAtMs = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'pawl-bench-'));
  const undone: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
  const undoAll = async (): Promise<void> => {
    for (let undo = undone.pop(); undo !== undefined; undo = undone.pop()) {
      try {
        await undo();
      } catch (error) {
        say(`not all could be undone: ${String(error)}`);
      }
    }
  };
  const interrupt = (): void => {
    say('ends what it started');
    // What was under way fails for want of what is being ended.
    process.on('uncaughtException', () => undefined).on('unhandledRejection', () => undefined);
    void undoAll().then(() => process.exit(130));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  let outcome: Report & Pick<BenchResult, 'skipped' | 'failed'>;
  try {
    const context = { quick, folder, say, onEnd: (undo: () => unknown) => void undone.push(undo) };
    outcome = await bench.run(context);
  } catch (error) {
    if (error instanceof Skipped) outcome = { ...nothing, skipped: error.message };
    else outcome = { ...nothing, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  await undoAll();
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  return { name, title, durationMs: performance.now() - startedAtMs, ...outcome };
}
