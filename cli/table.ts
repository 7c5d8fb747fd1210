// Lays rows out in columns. Where they are wider than the terminal nothing is left out: the last column is wrapped, or what does
// not fit beside the first columns stands below them. Pure.

import { widthOf, wrap } from './style.js';

type Row = readonly string[];

export interface TableOptions {
  readonly header?: Row;
  /** How wide a line may be; unlimited unless set. */
  readonly columns?: number;
  readonly indent?: number;
}

const gap = '  ';
const belowIndent = 4;
/** A last column that has less than this part of a line is not wrapped, but stands below. */
const leastShare = 1 / 3;

/** One line for each row where that goes. */
export function table(rows: readonly Row[], options: TableOptions = {}): string[] {
  const { header, columns = Infinity, indent = 0 } = options;
  const all = header === undefined ? rows : [header, ...rows];
  const widths: number[] = [];
  for (const row of all)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
    });
  const lay = layOut(widths, { ...options, columns, indent });
  const inOne = all.map(lay.inOneLine);
  if (inOne.every((line) => widthOf(line) <= columns)) return inOne;
  const lines = lay.lastRoom >= columns * leastShare ? all.flatMap(lay.wrapped) : all.flatMap(lay.stacked);
  return lines.flatMap((line) => (widthOf(line) <= columns ? [line] : wrap(line, columns)));
}

function layOut(
  widths: readonly number[],
  { header, columns, indent }: TableOptions & Required<Omit<TableOptions, 'header'>>,
) {
  const margin = ' '.repeat(indent);
  const beside = (cells: Row): string =>
    margin + cells.map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell))).join(gap);
  const widthOfFirst = (count: number): number =>
    indent + widths.slice(0, count).reduce((sum, width) => sum + width, 0) + gap.length * Math.max(0, count - 1);
  const last = widths.length - 1;
  const lastAt = last < 1 ? indent : widthOfFirst(last) + gap.length;
  const lastRoom = columns - lastAt;
  /** How many columns fit beside each other, the last one not among them. */
  let fitting = 1;
  while (fitting < last && widthOfFirst(fitting + 1) <= columns) fitting += 1;

  const inOneLine = (row: Row): string => beside(row).trimEnd();
  const wrapped = (row: Row): string[] => {
    if (row.length <= last) return [inOneLine(row)];
    const [first = '', ...others] = wrap(row[last] ?? '', lastRoom);
    const start = last === 0 ? margin : beside(row.slice(0, last)) + gap;
    return [start + first, ...others.map((line) => ' '.repeat(lastAt) + line)].map((line) => line.trimEnd());
  };
  const stacked = (row: Row): string[] => {
    if (row === header) return [inOneLine(row.slice(0, fitting))];
    if (header === undefined && widthOf(inOneLine(row)) <= columns) return [inOneLine(row)];
    return [inOneLine(row.slice(0, fitting)), ...below(row, { header, fitting, indent, columns })];
  };
  return { inOneLine, wrapped, stacked, lastRoom };
}

interface Below {
  readonly header: Row | undefined;
  readonly fitting: number;
  readonly indent: number;
  readonly columns: number;
}

/** The cells that did not fit, each behind its title, as many in a line as go. */
function below(row: Row, { header, fitting, indent, columns }: Below): string[] {
  const at = indent + belowIndent;
  const room = Math.max(1, columns - at);
  const lines: string[] = [];
  let line = '';
  row.slice(fitting).forEach((cell, index) => {
    if (widthOf(cell) === 0) return;
    const title = header?.[fitting + index];
    const text = title === undefined ? cell : `${title} ${cell}`;
    if (line !== '' && widthOf(line) + gap.length + widthOf(text) <= room) line += gap + text;
    else {
      if (line !== '') lines.push(line);
      const parts = wrap(text, room);
      lines.push(...parts.slice(0, -1));
      line = parts.at(-1) ?? '';
    }
  });
  if (line !== '') lines.push(line);
  return lines.map((each) => ' '.repeat(at) + each);
}
