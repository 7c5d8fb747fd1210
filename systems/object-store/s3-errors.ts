// Turns whatever the AWS SDK throws into Pawl's closed table of failures. Pure.

import { SystemError } from '../../dag/failures.js';
import type { FailureType } from '../../dag/failures.js';

export interface S3Operation {
  /** Completes "S3 could not …": `read`, `write`, `list`. */
  readonly verb: string;
  readonly bucket: string;
  /** A key, or a prefix for a listing. */
  readonly key?: string;
  readonly endpoint: string;
}

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number };
}

const typesByCode: Readonly<Record<string, FailureType>> = {
  PreconditionFailed: 'Conflict',
  ConditionalRequestConflict: 'Conflict',
  OperationAborted: 'Conflict',
  NoSuchKey: 'NotFound',
  NoSuchBucket: 'NotFound',
  ExpiredToken: 'CredentialsExpired',
  ExpiredTokenException: 'CredentialsExpired',
  TokenRefreshRequired: 'CredentialsExpired',
  RequestExpired: 'CredentialsExpired',
  AccessDenied: 'PermissionDenied',
  AllAccessDisabled: 'PermissionDenied',
  AccountProblem: 'PermissionDenied',
  InvalidAccessKeyId: 'PermissionDenied',
  InvalidToken: 'PermissionDenied',
  SignatureDoesNotMatch: 'PermissionDenied',
  RequestTimeTooSkewed: 'PermissionDenied',
  BadDigest: 'IntegrityFailed',
  InvalidDigest: 'IntegrityFailed',
  XAmzContentSHA256Mismatch: 'IntegrityFailed',
  XAmzContentChecksumMismatch: 'IntegrityFailed',
  IncompleteBody: 'IntegrityFailed',
  SlowDown: 'Unavailable',
  RequestTimeout: 'Unavailable',
  ServiceUnavailable: 'Unavailable',
  InternalError: 'Unavailable',
  NoSuchUpload: 'Unavailable',
  NotImplemented: 'InvalidInput',
};

const advice: Partial<Record<FailureType, string>> = {
  Conflict: 'someone else wrote first, or the answer to an earlier try was lost: read it again',
  CredentialsExpired: 'renew the credentials that this process was started with',
  PermissionDenied: 'check the credentials, the bucket policy and the clock',
  Unavailable: 'check that the endpoint answers; the call may be made again',
  IntegrityFailed: 'the bytes changed on the way; the call may be made again',
  InvalidInput: 'check the bucket, the region and the key',
};

function classify(error: SdkError): FailureType {
  const code = error.Code ?? error.name ?? '';
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const known = typesByCode[code];
  if (known !== undefined) return known;
  if (code === 'CredentialsProviderError' || code === 'TokenProviderError')
    return /expired/i.test(error.message ?? '') ? 'CredentialsExpired' : 'PermissionDenied';
  if (/region is missing/i.test(error.message ?? '')) return 'InvalidInput';
  if (status === undefined || status < 0) return 'Unavailable';
  if (status >= 500 || status === 429 || status === 408) return 'Unavailable';
  if (status === 412 || status === 409) return 'Conflict';
  if (status === 404) return 'NotFound';
  if (status === 401 || status === 403) return 'PermissionDenied';
  // A success whose body could not be read is an answer that was cut off or mangled.
  return status < 300 ? 'Unavailable' : 'InvalidInput';
}

/** Whether an error says that the bucket, not the key, is missing. */
export const isMissingBucket = (error: unknown): boolean =>
  error instanceof SystemError && error.type === 'NotFound' && error.details['missing'] === 'bucket';

/** One sentence with verb, bucket, key, endpoint and S3's own code; SystemErrors pass unchanged. */
export function s3Failure(error: unknown, operation: S3Operation): SystemError {
  if (error instanceof SystemError) return error;
  const sdk = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as SdkError;
  const type = classify(sdk);
  const code = sdk.code ?? sdk.Code ?? sdk.name ?? 'Error';
  const place = `s3://${operation.bucket}/${operation.key ?? ''} at ${operation.endpoint}`;
  const missing = type !== 'NotFound' ? undefined : code === 'NoSuchBucket' ? 'bucket' : 'key';
  const said =
    sdk.message === undefined || sdk.message === '' || sdk.message === 'UnknownError' ? '' : ` (${sdk.message})`;
  const hint =
    missing === 'bucket'
      ? 'the bucket does not exist: create it or correct its name'
      : missing === 'key'
        ? 'there is no such object'
        : (advice[type] ?? 'see the cause');
  return new SystemError(type, `S3 could not ${operation.verb} ${place}: ${code}${said}; ${hint}.`, {
    details: {
      bucket: operation.bucket,
      key: operation.key ?? '',
      code,
      ...(missing === undefined ? {} : { missing }),
    },
    cause: error,
  });
}
