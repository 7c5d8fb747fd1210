// The ready way to a client of Pawl's: Temporal by its standard settings, and the bucket in which large outputs lie.

import { PawlClient, type PawlClientOptions } from '../client/client.js';
import { connectClient, temporalSettings } from '../client/connect.js';
import { SystemError } from '../dag/failures.js';
import { externalStorage } from '../workers/external-storage.js';

export interface ConnectPawlOptions extends Omit<PawlClientOptions, 'client' | 'environment'> {
  /** `PAWL_ENVIRONMENT` unless set. */
  readonly environment?: string;
  /** Pawl's bucket, as pawl.config.ts names it, S3 by the standard AWS settings; `PAWL_BUCKET` unless set. */
  readonly bucket?: string;
  /** What differs from Temporal's standard settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, profiles. */
  readonly temporal?: { readonly address?: string; readonly namespace?: string; readonly profile?: string };
}

export interface ConnectedPawl {
  readonly pawl: PawlClient;
  readonly close: () => Promise<void>;
}

/** Connects a client that reads outputs of any size. Throws `InvalidInput`, and `Unavailable` where no Temporal answers. */
export async function connectPawl({ temporal, ...given }: ConnectPawlOptions = {}): Promise<ConnectedPawl> {
  const environment = given.environment ?? fromEnvironment('environment', 'PAWL_ENVIRONMENT');
  const bucket = given.bucket ?? fromEnvironment('bucket', 'PAWL_BUCKET');
  // Only now, so that a program that needs no bucket loads no AWS SDK.
  const { S3ObjectStore } = await import('../systems/object-store/s3.js');
  const objects = new S3ObjectStore({ bucket });
  try {
    const connected = await connectClient(temporalSettings(temporal), externalStorage(objects));
    return {
      pawl: new PawlClient({ ...given, environment, client: connected.client }),
      close: async () => {
        await connected.close();
        objects.close();
      },
    };
  } catch (error) {
    objects.close();
    throw error;
  }
}

function fromEnvironment(name: string, variable: string): string {
  const value = process.env[variable] ?? '';
  if (value !== '') return value;
  throw new SystemError(
    'InvalidInput',
    `connectPawl was given no ${name}: name it, or set ${variable}; beside a "pawl dev" eval "$(pawl env)" does.`,
  );
}
