// Ids of runs that a person can read aloud, and that sort by time.

import { randomInt } from 'node:crypto';

const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';

/** `20261108-143205-k3f9`, in UTC. */
export function newRunId(now: Date): string {
  const [date = '', time = ''] = now.toISOString().split('T');
  const tail = Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${tail}`;
}
