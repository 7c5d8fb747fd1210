// What of a worker's log is shown in the terminal of `pawl dev`: what tasks say, and what went wrong. Pure.

import { clock } from './format.js';
import { printable, type Style } from './style.js';

const ofPino = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'component', 'sdkComponent', 'taskQueue']);
const ofStep = new Set(['dag', 'workflowId', 'runId', 'step', 'task', 'attempt']);
/** What is of use in Temporal's own warnings. */
const ofTemporal = new Set(['workflowId', 'activityType', 'attempt', 'err', 'error']);
const longestValue = 200;
const warning = 40;
const error = 50;

/** `undefined`: of no interest to who writes a pipeline. */
export function describeWorkerLine(line: string, style: Style): string | undefined {
  const record = parse(line);
  // What a task prints by itself.
  if (record === undefined)
    return line.trim() === '' ? undefined : `${' '.repeat(10)}${style.dim('│')} ${printable(line)}`;
  const level = Number(record['level']);
  const step = record['step'];
  if (level < warning && (typeof step !== 'string' || record['component'] === 'temporal')) return undefined;
  const time = style.dim(clock(new Date(Number(record['time']))));
  const place = typeof step === 'string' ? `${style.cyan(`${text(record['dag'])}/${step}`)}  ` : '';
  const message = printable(text(record['msg']));
  const rest = Object.entries(record)
    .filter(([name]) =>
      record['component'] === 'temporal' ? ofTemporal.has(name) : !ofPino.has(name) && !ofStep.has(name),
    )
    .map(([name, value]) =>
      isError(name)
        ? `error=${printable(messageOf(text(value)))}`
        : `${name}=${shortDigests(printable(text(value))).slice(0, longestValue)}`,
    )
    .join(' ');
  const mark = level >= error ? style.red('error ') : level >= warning ? style.yellow('warning ') : '';
  return `${time}  ${mark}${place}${message}${rest === '' ? '' : ` ${style.dim(rest)}`}`;
}

/** As pino calls it, and as tasks do. */
const isError = (name: string): boolean => name === 'err' || name === 'error';

/** Temporal's core writes an answer of the server with all that it holds. */
const messageOf = (said: string): string => /^Status \{.*?\bmessage: "([^"]+)"/.exec(said)?.[1] ?? said;

/** Enough of a SHA-256 to tell it from another. */
const shortDigests = (value: string): string => value.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{28,}\b/g, '$1…');

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  // An error, as pino writes it.
  if (typeof value === 'object' && value !== null && 'message' in value && 'stack' in value)
    return String(value.message);
  return JSON.stringify(value) ?? '';
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'level' in value && 'msg' in value ? value : undefined;
  } catch {
    return undefined;
  }
}
