// The CPU time of another process, which a busy machine lengthens far less than the time on the clock.

import { readFileSync } from 'node:fs';

/** Linux tells it in hundredths of a second, whatever its kernel ticks in (`USER_HZ`). */
const msPerTick = 10;

/** User and system time of all its threads in milliseconds; `undefined` where there is no /proc, or no such process. */
export function cpuMsOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // After the program's name, which is in parentheses and may hold anything, comes the third field; wanted are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return (user + system) * msPerTick;
}
