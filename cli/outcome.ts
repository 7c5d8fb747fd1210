// How a run's end is told, and which exit code it has. Pure.

import { exitCodes, type ExitCode } from './exit-codes.js';
import { type Style } from './style.js';

/** Of those that DAGs about a model give; any other outcome of a completed run is good. */
const negative = new Set(['rejected', 'rolled-back', 'failed', 'cancelled', 'timed_out', 'terminated']);

export const exitCodeOf = (outcome: string): ExitCode => (negative.has(outcome) ? exitCodes.negative : exitCodes.ok);

export function colourOutcome(outcome: string, style: Style): string {
  const word = outcome.toLowerCase();
  if (negative.has(word)) return style.red(word);
  if (word === 'running') return style.cyan(word);
  if (word === 'unchanged' || word === 'stopped') return style.yellow(word);
  return style.green(word);
}
