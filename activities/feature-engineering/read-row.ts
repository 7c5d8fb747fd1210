// What a reader hands out of a file, whatever its format.

import { z } from 'zod';

export type ReadRow =
  | { readonly kind: 'record'; readonly line: number; readonly record: Readonly<Record<string, unknown>> }
  /** One row is lost. */
  | { readonly kind: 'malformed'; readonly line: number; readonly reason: string }
  /** The rest of the file is lost, however much that is: nothing comes after this. */
  | { readonly kind: 'cut-off'; readonly line: number; readonly reason: string };

const record = z.record(z.string(), z.unknown());

export const toRow = (value: unknown, line: number): ReadRow => {
  const parsed = record.safeParse(value);
  return parsed.success
    ? { kind: 'record', line, record: parsed.data }
    : { kind: 'malformed', line, reason: 'not a JSON object' };
};

export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 300);
