// A model's settings as lines: `train.recipe.rank  16`. Pure.

import { printable } from './style.js';

const longText = 80;

/** Path and value of every setting; a long text by its size. */
export function settingsRows(value: unknown, path = ''): [path: string, value: string][] {
  if (Array.isArray(value))
    return value.every((item) => typeof item !== 'object' || item === null)
      ? [[path, value.length === 0 ? 'none' : value.map(scalar).join(', ')]]
      : value.flatMap((item, index) => settingsRows(item, `${path}[${index}]`));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [[path, 'none']];
    return entries.flatMap(([key, inner]) => settingsRows(inner, path === '' ? key : `${path}.${key}`));
  }
  return [[path, scalar(value)]];
}

function scalar(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'none' : JSON.stringify(value);
  if (value.includes('\n')) return `${value.split('\n').length} lines`;
  return value.length > longText ? `${printable(value.slice(0, longText))}…` : printable(value);
}
