// Connects by Temporal's standard settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key, profiles.

import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { ExternalStorage } from '@temporalio/common/lib/converter/extstore.js';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SystemError } from '../dag/failures.js';
import { refusedAddress } from './refused-address.js';
import { refusalOf } from './temporal-error.js';

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  /** TLS, API key and headers, for a client's connection and a worker's alike. */
  readonly connection: {
    readonly tls?: Exclude<ConnectionOptions['tls'], null | undefined>;
    readonly apiKey?: string;
    readonly metadata?: Record<string, string>;
  };
}

/** The settings of the environment and its profile; what is given here comes first. Throws `InvalidInput`. */
export function temporalSettings(
  given: { readonly address?: string; readonly namespace?: string; readonly profile?: string } = {},
): TemporalSettings {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig(
      given.profile === undefined ? {} : { profile: given.profile },
    );
    const { address, ...rest } = connectionOptions;
    return {
      address: given.address ?? address ?? 'localhost:7233',
      namespace: given.namespace ?? namespace ?? 'default',
      connection: Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    };
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError('InvalidInput', `Temporal's settings cannot be read: ${problem}`, { cause });
  }
}

export interface ConnectedClient {
  readonly client: Client;
  close(): Promise<void>;
}

/** A client that connects with its first call. */
export function lazyClient(settings: TemporalSettings, externalStorage?: ExternalStorage): ConnectedClient {
  const { address, namespace } = settings;
  const connection = Connection.lazy({ address, ...settings.connection });
  const client = new Client({
    connection,
    namespace,
    ...(externalStorage === undefined ? {} : { dataConverter: { externalStorage } }),
  });
  return { client, close: () => connection.close() };
}

/** Throws `Unavailable` where nothing answers, `PermissionDenied` where the credentials are refused. */
export async function connectClient(
  settings: TemporalSettings = temporalSettings(),
  externalStorage?: ExternalStorage,
): Promise<ConnectedClient> {
  const { address } = settings;
  const absent = (cause: unknown): SystemError =>
    new SystemError(
      'Unavailable',
      `No Temporal server answers at ${address}: start one with "pawl dev", or set TEMPORAL_ADDRESS.`,
      { cause },
    );
  const refused = await refusedAddress(address);
  if (refused !== undefined) throw absent(refused);
  const connected = lazyClient(settings, externalStorage);
  try {
    await connected.client.connection.ensureConnected();
    return connected;
  } catch (cause) {
    await connected.close();
    const refusal = refusalOf(cause);
    if (refusal !== undefined) throw refusal;
    throw absent(cause);
  }
}
