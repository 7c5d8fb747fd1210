// What `pawl` answers its caller with, and how errors come to that. Pure.

import { SystemError, type FailureType } from '../dag/failures.js';

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

/** gRPC's status codes for a server that is away or slow. */
const awayCodes = new Set([4, 14]);

/** Any error as what is told of it. */
export function tell(error: unknown): Told {
  const found = systemErrorOf(error);
  if (found !== undefined)
    return { type: found.type, message: found.message, exitCode: byType[found.type] ?? exitCodes.negative };
  const grpc = grpcStatusOf(error);
  if (grpc !== undefined && awayCodes.has(grpc.code))
    return {
      type: 'Unavailable',
      message: `Temporal does not answer (${grpc.details}): "pawl doctor" says which systems are reachable.`,
      exitCode: exitCodes.unavailable,
    };
  const message = grpc?.details ?? (error instanceof Error ? error.message : String(error));
  return {
    type: 'Internal',
    message: `${message.split('\n')[0]} (an unexpected error: PAWL_DEBUG=1 shows where).`,
    exitCode: exitCodes.negative,
  };
}

/** Also one that came from another copy of Pawl's modules. */
function systemErrorOf(error: unknown): SystemError | undefined {
  if (error instanceof SystemError) return error;
  return error instanceof Error && error.name === 'SystemError' && 'type' in error ? (error as SystemError) : undefined;
}

function grpcStatusOf(error: unknown): { code: number; details: string } | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, details } = each as { code?: unknown; details?: unknown };
    if (typeof code === 'number' && typeof details === 'string') return { code, details };
  }
  return undefined;
}
