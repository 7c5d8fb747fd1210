// What Temporal's server, or its SDK, answers with where nothing of Pawl's went wrong: one sentence with the setting that did. Pure.

import { SystemError } from '../dag/failures.js';

interface GrpcStatus {
  readonly code: number;
  /** The server's words. */
  readonly text: string;
}

const notFound = 5;
const permissionDenied = 7;
const unauthenticated = 16;
/** For a server that is away or slow. */
const awayCodes = new Set([4, 14]);

/** As the SDK's native part names them in the text of an error that holds no code: while it connects, and afterwards. */
const codesByName: Readonly<Record<string, number>> = {
  NotFound: notFound,
  PermissionDenied: permissionDenied,
  'The caller does not have permission to execute the specified operation': permissionDenied,
  Unauthenticated: unauthenticated,
  'The request does not have valid authentication credentials': unauthenticated,
};

/** An error that is a SystemError, or stands for one; `undefined` for one that nobody expected. */
export function systemErrorOf(error: unknown): SystemError | undefined {
  // Also one that came from another copy of Pawl's modules.
  if (error instanceof Error && error.name === 'SystemError' && 'type' in error) return error as SystemError;
  return refusalOf(error) ?? absenceOf(error);
}

/** A namespace that the server does not have, or credentials that it does not take: to try again does not help. */
export function refusalOf(error: unknown): SystemError | undefined {
  if (error instanceof Error && error.name === 'NamespaceNotFoundError') return noNamespace(error.message, error);
  const { code, text = '' } = grpcStatusOf(error) ?? {};
  if (code === notFound && /\bnamespace\b/i.test(text)) return noNamespace(text, error);
  if (code === unauthenticated)
    return new SystemError(
      'PermissionDenied',
      `Temporal does not take the credentials (${text}): is TEMPORAL_API_KEY right, or the certificate of TEMPORAL_TLS_CLIENT_CERT_PATH?`,
      { cause: error },
    );
  if (code === permissionDenied)
    return new SystemError(
      'PermissionDenied',
      `Temporal does not allow this (${text}): may the holder of TEMPORAL_API_KEY, or of the certificate, do so in the namespace that TEMPORAL_NAMESPACE names?`,
      { cause: error },
    );
  return undefined;
}

/** The first line of what an error says. */
export function sentenceOf(error: unknown): string {
  const text = grpcStatusOf(error)?.text ?? (error instanceof Error ? error.message || error.name : String(error));
  return text.split('\n')[0] ?? '';
}

function absenceOf(error: unknown): SystemError | undefined {
  const status = grpcStatusOf(error);
  if (status === undefined || !awayCodes.has(status.code)) return undefined;
  return new SystemError(
    'Unavailable',
    `Temporal does not answer (${status.text}): "pawl doctor" says which systems are reachable.`,
    { cause: error },
  );
}

const noNamespace = (text: string, cause: unknown): SystemError =>
  new SystemError(
    'NotFound',
    `Temporal has no such namespace (${text.replace(/\.$/, '')}): is TEMPORAL_NAMESPACE right?`,
    { cause },
  );

function grpcStatusOf(error: unknown): GrpcStatus | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, details, message } = each as Error & { code?: unknown; details?: unknown };
    // The SDK's native part leaves the details empty.
    if (typeof code === 'number' && typeof details === 'string') return { code, text: details || message };
    if (each.name !== 'TransportError') continue;
    const [, name = '', text = ''] = /\bcode: '?([\w ]+)'?, message: "([^"]*)"/.exec(message) ?? [];
    const named = codesByName[name];
    if (named !== undefined) return { code: named, text };
  }
  return undefined;
}
