// A day or a moment that a person names, as a span of time. Pure.

import { SystemError } from '../dag/failures.js';

export interface Span {
  readonly from: Date;
  /** Exclusive; for a moment the same as `from`. */
  readonly to: Date;
}

const dayMs = 24 * 3_600_000;

/** `2026-11-08` is that day in UTC, `2026-11-08T14:30Z` that moment. Throws `InvalidInput`. */
export function spanOf(text: string): Span {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const from = new Date(isDay ? `${text}T00:00:00.000Z` : text);
  const names = isDay && !Number.isNaN(from.getTime()) ? from.toISOString().startsWith(text) : !isDay;
  if (Number.isNaN(from.getTime()) || !names || !/^\d{4}-/.test(text))
    throw new SystemError(
      'InvalidInput',
      `${JSON.stringify(text)} is no date, such as 2026-11-08 or 2026-11-08T14:30Z.`,
    );
  return { from, to: isDay ? new Date(from.getTime() + dayMs) : from };
}

/** What was in force within a span, of states in order of time: the last one before it, and those that began in it. */
export function inForce<T>(states: readonly T[], atOf: (state: T) => Date, { from, to }: Span): T[] {
  const before = states.filter((state) => atOf(state) <= from).at(-1);
  const within = states.filter((state) => atOf(state) > from && atOf(state) < to);
  return before === undefined ? within : [before, ...within];
}
