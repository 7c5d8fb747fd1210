// Times and sizes as people read them. Pure.

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** `0.4 s`, `12 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 10 * second) return `${(Math.max(0, ms) / second).toFixed(1)} s`;
  if (ms < minute) return `${Math.round(ms / second)} s`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (ms < hour) return `${Math.floor(ms / minute)} m ${two((ms % minute) / second)} s`;
  if (ms < day) return `${Math.floor(ms / hour)} h ${two((ms % hour) / minute)} m`;
  return `${Math.floor(ms / day)} d ${Math.floor((ms % day) / hour)} h`;
}

/** `2026-11-08 14:32:05`, in the time zone of this machine. */
export function localTime(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export const clock = (at: Date): string => localTime(at).slice(11);

/** The time of day, with the day where that is not today. */
export const whenTold = (at: Date, now: Date): string =>
  localTime(at).slice(0, 10) === localTime(now).slice(0, 10) ? clock(at) : localTime(at);

/** `512 MiB`, `16 GiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Number(value.toFixed(1))} ${units[unit] ?? ''}`;
}
