// How a run ended, in lines for people: its outcome with what it gave back, or why it failed. Pure.

import { z } from 'zod';
import { rolloutOutcome } from '../activities/schemas/rollout-outcome.js';
import { colourOutcome } from './outcome.js';
import type { RunDocument } from './run-document.js';
import { settingsRows } from './settings-lines.js';
import { printable, wrap, type Style } from './style.js';
import { table } from './table.js';

const shownRows = 30;

interface Width {
  readonly style: Style;
  readonly columns: number;
}

type Ended = Pick<RunDocument, 'dag' | 'outcome' | 'output' | 'error'>;

export function endLines(ended: Ended, { style, columns }: Width): string[] {
  const word = colourOutcome(ended, style);
  if (ended.error !== null) return wrap(`${word}: ${printable(ended.error.message)}`, columns);
  const tried = ofRollout.safeParse(ended.output).data;
  const rows = outputRows(tried === undefined ? ended : { ...ended, output: tried.others });
  const left = rows.length - shownRows;
  return [
    word,
    ...table(
      rows.slice(0, shownRows).map(([name, value]) => [style.dim(name), value]),
      { indent: 2, columns },
    ),
    ...(left > 0 ? [style.dim(`  … and ${left} more values: --json shows all`)] : []),
    ...(tried === undefined ? [] : weightLines(tried.weights, { style, columns })),
  ];
}

const ofRollout = z
  .looseObject(rolloutOutcome.pick({ weights: true }).shape)
  .transform(({ weights, ...others }) => ({ weights, others }));

/** What a challenger did, weight by weight. */
function weightLines(weights: z.output<typeof ofRollout>['weights'], { style, columns }: Width): string[] {
  if (weights.length === 0) return [];
  const rows = weights.map(({ weightPercent, verdict, requests, errors, explanation }) => [
    `${weightPercent} %`,
    printable(verdict),
    String(requests),
    String(errors),
    printable(explanation),
  ]);
  const header = ['WEIGHT', 'VERDICT', 'REQUESTS', 'ERRORS', 'WHY'].map(style.dim);
  return table(rows, { header, indent: 2, columns });
}

/** Name and value of all that there is; whole texts, since a verdict or a reason is one. */
function outputRows({ outcome, output }: Ended): [name: string, value: string][] {
  if (typeof output !== 'object' || output === null || Array.isArray(output))
    return output === null ? [] : settingsRows(output, 'output');
  return Object.entries(output).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    if (value === null || (name === 'outcome' && value === outcome)) return [];
    return typeof value === 'string' ? [[name, printable(value)]] : settingsRows(value, name);
  });
}
