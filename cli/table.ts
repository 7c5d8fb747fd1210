// Lays rows out in columns. Pure.

import { fit, widthOf } from './style.js';

export interface TableOptions {
  readonly header?: readonly string[];
  /** The last column is cut where a row would be wider; unlimited unless set. */
  readonly columns?: number;
  readonly indent?: number;
}

/** One line for each row. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  const { header, columns = Infinity, indent = 0 } = options;
  const all = header === undefined ? rows : [header, ...rows];
  const widths: number[] = [];
  for (const row of all)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
    });
  return all.map((row) => {
    const cells = row.map((cell, index) =>
      index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell)),
    );
    const line = (' '.repeat(indent) + cells.join('  ')).trimEnd();
    return columns === Infinity ? line : fit(line, columns);
  });
}
