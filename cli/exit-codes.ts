// What `pawl` answers its caller with, and how errors come to that. Pure.

import { sentenceOf, systemErrorOf } from '../client/temporal-error.js';
import type { FailureType } from '../dag/failures.js';
import { missingS3 } from './no-s3.js';

export const exitCodes = {
  ok: 0,
  /** A run that failed, or a negative answer: rejected, rolled back, a disagreement that was found. */
  negative: 1,
  /** The command line or what it names is wrong; nothing was begun. */
  usage: 2,
  /** A system did not answer, or refused the credentials. */
  unavailable: 3,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byType: Partial<Record<FailureType, ExitCode>> = {
  InvalidInput: exitCodes.usage,
  UnknownDag: exitCodes.usage,
  NotFound: exitCodes.usage,
  Unavailable: exitCodes.unavailable,
  CredentialsExpired: exitCodes.unavailable,
  PermissionDenied: exitCodes.unavailable,
  HostLost: exitCodes.unavailable,
  NoCapacity: exitCodes.unavailable,
};

export interface Told {
  readonly type: FailureType;
  /** One sentence. */
  readonly message: string;
  readonly exitCode: ExitCode;
}

/** Any error as what is told of it. */
export function tell(error: unknown): Told {
  const missing = missingS3(error);
  if (missing !== undefined) return { type: 'Unavailable', message: missing, exitCode: exitCodes.unavailable };
  const found = systemErrorOf(error);
  if (found !== undefined)
    return { type: found.type, message: found.message, exitCode: byType[found.type] ?? exitCodes.negative };
  return {
    type: 'Internal',
    message: `${sentenceOf(error)} (an unexpected error: PAWL_DEBUG=1 shows where).`,
    exitCode: exitCodes.negative,
  };
}
