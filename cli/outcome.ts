// How a run's end is told, and which exit code it has. Pure.

import { exitCodes, type ExitCode } from './exit-codes.js';
import { type Style } from './style.js';

/** A run of a DAG, or of a task alone, and the word for where it stands. */
export interface Ending {
  readonly dag: string;
  /** Of the DAG or of Temporal's. */
  readonly outcome: string;
}

/** Of those that DAGs about a model give; any other outcome of a completed run is good. */
const negative = new Set(['rejected', 'rolled-back', 'failed', 'cancelled', 'timed_out', 'terminated']);

/** To go back is what the DAG `rollback` is started for; any other run that ends so was to bring something forward. */
const isNegative = ({ dag, outcome }: Ending): boolean =>
  negative.has(outcome.toLowerCase()) && !(dag === 'rollback' && outcome === 'rolled-back');

export const exitCodeOf = (ending: Ending): ExitCode => (isNegative(ending) ? exitCodes.negative : exitCodes.ok);

export function colourOutcome(ending: Ending, style: Style): string {
  const word = ending.outcome.toLowerCase();
  if (isNegative(ending)) return style.red(word);
  if (word === 'running') return style.cyan(word);
  if (word === 'unchanged' || word === 'stopped') return style.yellow(word);
  return style.green(word);
}
