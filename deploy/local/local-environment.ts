// The variables by which the processes of one machine find each other: Temporal's and AWS's standard ones, and Pawl's own.

import type { S3Access } from '../embedded/s3-server.js';

export interface LocalAddresses {
  /** Absent where the environment names a Temporal of its own. */
  readonly temporal?: { readonly address: string; readonly namespace: string };
  /** Absent where the environment names an S3 of its own. */
  readonly s3?: S3Access;
  readonly environment: string;
  readonly bucket: string;
  readonly adminUrl: string;
  readonly routerToken: string;
}

/** Variables that would lead a process elsewhere, although the address is ours. */
const temporalOverrides = ['TEMPORAL_PROFILE', 'TEMPORAL_API_KEY', 'TEMPORAL_TLS', 'TEMPORAL_CONFIG_FILE'];
const awsOverrides = ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL'];

export function localVariables(addresses: LocalAddresses): Record<string, string> {
  const { temporal, s3, environment, bucket, adminUrl, routerToken } = addresses;
  return {
    ...(temporal && { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    ...(s3 && {
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      AWS_REGION: s3.region,
      // Python's tools know only this one.
      AWS_DEFAULT_REGION: s3.region,
    }),
    PAWL_ENVIRONMENT: environment,
    PAWL_BUCKET: bucket,
    PAWL_ROUTERS: adminUrl,
    PAWL_GATEWAY_TOKEN: routerToken,
  };
}

/** The names of variables that would lead a process elsewhere, although these are set. */
export const misleading = (variables: Readonly<Record<string, string>>): readonly string[] => [
  ...('TEMPORAL_ADDRESS' in variables ? temporalOverrides : []),
  ...('AWS_ENDPOINT_URL_S3' in variables ? awsOverrides : []),
];

/** An environment with these variables in it, and none beside them that would lead elsewhere. */
export function withLocalVariables(
  base: NodeJS.ProcessEnv,
  variables: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const dropped = misleading(variables);
  const kept = Object.entries(base).filter(([name]) => !dropped.includes(name));
  return { ...Object.fromEntries(kept), ...variables };
}
