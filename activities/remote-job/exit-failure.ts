// What an exit code means, as docs/job-contract.md says. Pure.

import { SystemError } from '../../dag/failures.js';
import type { FailureType } from '../../dag/failures.js';
import type { JobState } from '../../systems/compute/port.js';

const meanings: Readonly<Record<number, { type: FailureType; words: string }>> = {
  0: { type: 'JobFailed', words: 'ended with 0, but without a result in the object store' },
  65: { type: 'InvalidInput', words: 'refused its input' },
  75: { type: 'JobFailed', words: 'met passing trouble' },
  77: { type: 'PermissionDenied', words: 'was refused by the object store' },
  124: { type: 'JobTimedOut', words: 'ran into its hard time limit' },
};

/** As Python and Node name what ended a program; Node writes more below it. */
const exception = /^[\w.]*(Error|Exception)\b[^:]*: /;

/** `log`: its last lines. The failure's details hold the exit code and them. */
export function failureOfExit(state: JobState | undefined, host: string, log: readonly string[]): SystemError {
  if (state?.phase !== 'exited') return new SystemError('Internal', `The job on ${host} has not ended.`);
  const { exitCode } = state;
  const { type, words } = state.timedOut
    ? { type: 'JobTimedOut' as const, words: 'ran into its hard time limit' }
    : (meanings[exitCode] ?? { type: 'JobFailed' as const, words: `ended with exit code ${exitCode}` });
  const last =
    log.findLast((line) => line.startsWith('error: ')) ?? log.findLast((line) => exception.test(line)) ?? log.at(-1);
  const said = last === undefined ? 'it wrote nothing' : last.replace(/^error: /, '');
  return new SystemError(type, `The program on the host ${host} ${words}: ${said}`, {
    details: { host, exitCode, log },
  });
}
