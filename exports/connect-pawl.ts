// The ready way to a client of Pawl's: Temporal by its standard settings, and the bucket in which large outputs lie.

import { PawlClient, type PawlClientOptions } from '../client/client.js';
import { connectClient, temporalSettings } from '../client/connect.js';
import { externalStorage } from '../workers/external-storage.js';

export interface ConnectPawlOptions extends Omit<PawlClientOptions, 'client'> {
  /** Pawl's bucket, as pawl.config.ts names it; S3 by the standard AWS settings. */
  readonly bucket: string;
  /** What differs from Temporal's standard settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, profiles. */
  readonly temporal?: { readonly address?: string; readonly namespace?: string; readonly profile?: string };
}

export interface ConnectedPawl {
  readonly pawl: PawlClient;
  readonly close: () => Promise<void>;
}

/** Connects a client that reads outputs of any size. Throws `InvalidInput`, and `Unavailable` where no Temporal answers. */
export async function connectPawl({ bucket, temporal, ...options }: ConnectPawlOptions): Promise<ConnectedPawl> {
  // Only now, so that a program that needs no bucket loads no AWS SDK.
  const { S3ObjectStore } = await import('../systems/object-store/s3.js');
  const objects = new S3ObjectStore({ bucket });
  try {
    const connected = await connectClient(temporalSettings(temporal), externalStorage(objects));
    return {
      pawl: new PawlClient({ ...options, client: connected.client }),
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
