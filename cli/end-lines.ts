// How a run ended, in lines for people: its outcome with what it gave back, or why it failed. Pure.

import { colourOutcome } from './outcome.js';
import type { RunDocument } from './run-document.js';
import { settingsRows } from './settings-lines.js';
import { printable, wrap, type Style } from './style.js';
import { table } from './table.js';

const shownRows = 30;

type Ended = Pick<RunDocument, 'dag' | 'outcome' | 'output' | 'error'>;

export function endLines(
  ended: Ended,
  { style, columns }: { readonly style: Style; readonly columns: number },
): string[] {
  const word = colourOutcome(ended, style);
  if (ended.error !== null) return wrap(`${word}: ${printable(ended.error.message)}`, columns);
  const rows = outputRows(ended);
  const left = rows.length - shownRows;
  return [
    word,
    ...table(
      rows.slice(0, shownRows).map(([name, value]) => [style.dim(name), value]),
      { indent: 2, columns },
    ),
    ...(left > 0 ? [style.dim(`  … and ${left} more values: --json shows all`)] : []),
  ];
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
