// Builds the one S3 client of a process: what is not set here comes from the AWS SDK's own defaults (AWS_* variables,
// profiles, instance roles).

import type { S3, S3ClientConfig } from '@aws-sdk/client-s3';

export interface S3Settings {
  readonly bucket: string;
  /** Given for any server but AWS's own; the bucket is then part of the path. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Tries in all for one request; the SDK's own default (AWS_MAX_ATTEMPTS) where absent. */
  readonly maxAttempts?: number;
  /** How long one try may take until its answer begins; a body gets a second more for every 64 KB. */
  readonly requestTimeoutMs?: number;
  /** Longest silence within a body that is being read. */
  readonly stallMs?: number;
  readonly partSizeBytes?: number;
  /** Parts under way at once; with the part size this bounds the memory of a put. */
  readonly partsAtOnce?: number;
  readonly listPageSize?: number;
}

export const s3Defaults = {
  requestTimeoutMs: 20_000,
  stallMs: 60_000,
  partSizeBytes: 8 * 1024 * 1024,
  partsAtOnce: 4,
} as const;

/** Stands for the endpoint where AWS's own is used. */
export const aws = 'AWS';

const isLoopback = (hostname: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(hostname);

interface Request {
  readonly protocol: string;
  readonly hostname: string;
  readonly headers: Record<string, string>;
}

export interface S3Connection {
  /** The address that error sentences name. */
  readonly endpoint: string;
  /** One client, made with the first request. */
  client(): Promise<S3>;
  close(): void;
}

export function connectS3(settings: S3Settings): S3Connection {
  const endpoint = settings.endpoint ?? process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  let opening: Promise<S3> | undefined;
  return {
    endpoint: endpoint ?? aws,
    client: () => (opening ??= openClient(settings, endpoint)),
    close: () =>
      void opening?.then(
        (client) => client.destroy(),
        () => undefined,
      ),
  };
}

async function openClient(settings: S3Settings, endpoint: string | undefined): Promise<S3> {
  // The SDK would print its calendar for old Node versions at every start of every command.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  // A tenth of a second that neither a worker's first poll nor a command that only asks Temporal has to wait for.
  const { S3 } = await import('@aws-sdk/client-s3');
  const config: S3ClientConfig = {
    // Pawl verifies both ways itself, in native code and in the stream that it reads anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // `Expect: 100-continue` would open a new connection for every part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: settings.requestTimeoutMs ?? s3Defaults.requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(settings.region === undefined ? {} : { region: settings.region }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
    ...(settings.maxAttempts === undefined ? {} : { maxAttempts: settings.maxAttempts }),
  };
  const client = new S3(config);
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as Request;
      const command = context.commandName;
      // Asked for by header, because the SDK would wrap the body in a check of its own if asked by parameter.
      if (command === 'GetObjectCommand') request.headers['x-amz-checksum-mode'] = 'ENABLED';
      // A part carries a CRC; where TLS or the machine itself guards the way, a second SHA-256 over it guards nothing.
      if (command === 'UploadPartCommand' && (request.protocol === 'https:' || isLoopback(request.hostname)))
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'pawlHeaders' },
  );
  return client;
}
