// The pause of a rollout, and how it is told. Pure.

import { localTime } from './format.js';
import { printable } from './style.js';

export interface RolloutPause {
  readonly version: number | null;
  readonly weightPercent: number;
  /** null: it paused itself, because its analysis is inconclusive. */
  readonly by: string | null;
  /** ISO 8601; null where that is not known. */
  readonly since: string | null;
  readonly reason: string;
}

/** `paused at 10 % by ann since 2026-11-08 14:32:05: users complain`. Pure. */
export function describePause({ weightPercent, by, since, reason }: RolloutPause): string {
  const who = by === null ? 'by itself' : `by ${printable(by)}`;
  const when = since === null ? '' : ` since ${localTime(new Date(since))}`;
  return `paused at ${weightPercent} % ${who}${when}: ${printable(reason)}`;
}
