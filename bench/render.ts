// Writes reports for a person: one table for each bench.

import type { Aimed, BenchResult, Figure } from './report.js';

const digits = (value: number): string => {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
};

const aimOf = (aimed: Aimed): string =>
  `${aimed.aim.at === 'most' ? '≤' : '≥'} ${digits(aimed.aim.value)}: ${aimed.reached ? 'reached' : 'MISSED'}`;

const rowOf = (shown: Figure, aim: string): readonly string[] => [
  shown.name,
  `${digits(shown.median)} ${shown.unit}`,
  shown.samples === 1 ? '' : `${digits(shown.low)} – ${digits(shown.high)}`,
  String(shown.samples),
  aim,
];

/** Lines of text: the title, the figures with their quartiles, the notes. */
export function renderResult(result: BenchResult): string {
  const head = `${result.name}: ${result.title} (${(result.durationMs / 1000).toFixed(0)} s)`;
  if (result.skipped !== undefined) return `${head}\n  skipped: ${result.skipped}\n`;
  if (result.failed !== undefined) return `${head}\n  failed: ${result.failed}\n`;
  const rows = [
    ['', 'median', 'quartiles', 'n', 'aim'],
    ...result.aimed.map((aimed) => rowOf(aimed, aimOf(aimed))),
    ...result.figures.map((shown) => rowOf(shown, '')),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  );
  return [head, ...lines, ...result.notes.map((note) => `  · ${note}`), ''].join('\n');
}
