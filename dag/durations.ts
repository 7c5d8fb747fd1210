// Durations as people write them: `'30m'`, `'2h'`, or a number of milliseconds.

import { SystemError } from './failures.js';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A number of milliseconds, or a number with its unit: `'500ms'`, `'30s'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${keyof typeof unitMs}`;

const isUnit = (text: string): text is keyof typeof unitMs => Object.hasOwn(unitMs, text);

/** A duration in whole milliseconds. Throws `InvalidInput` where it is not above zero; `what` leads the message. */
export function durationMs(duration: Duration, what: string): number {
  const ms = typeof duration === 'number' ? duration : parseMs(duration);
  if (ms !== undefined && Number.isFinite(ms) && ms >= 1) return Math.round(ms);
  throw new SystemError(
    'InvalidInput',
    `${what}: ${JSON.stringify(duration)} is not a duration; write '500ms', '30s', '30m', '2h' or '7d', or a number of milliseconds above zero`,
  );
}

function parseMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text);
  const unit = match?.[2];
  return unit !== undefined && isUnit(unit) ? Number(match?.[1]) * unitMs[unit] : undefined;
}
