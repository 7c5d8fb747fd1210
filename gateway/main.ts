// The gateway as a process: settings from the environment, S3 by the standard AWS variables, an orderly end on SIGTERM.

import pino from 'pino';
import { ObjectStoreEndpoints } from '../systems/endpoint/object-store.js';
import { S3ObjectStore } from '../systems/object-store/s3.js';
import { ServingRecords } from '../systems/serving/records.js';
import { startGateway } from './gateway.js';
import { seededRandom } from './routing.js';
import { readGatewaySettings } from './settings.js';

async function main(): Promise<void> {
  const { bucket, seed, shutdownMs, logLevel, ...settings } = readGatewaySettings(process.env);
  const log = pino({ name: 'gateway', level: logLevel });
  // A read that hangs must not hold up a sync: better to fail it and read again.
  const objects = new S3ObjectStore({ bucket, maxAttempts: 2, requestTimeoutMs: 4_000 });
  const { environment } = settings;
  const gateway = await startGateway({
    ...settings,
    endpoints: new ObjectStoreEndpoints(objects, environment),
    records: new ServingRecords({ objects, environment }),
    log,
    ...(seed === undefined ? {} : { random: seededRandom(seed) }),
  });
  const { id, url, adminUrl } = gateway;
  log.info({ id, url, adminUrl, environment, bucket }, 'the gateway listens');
  let isStopping = false;
  const stop = (signal: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'the gateway ends what is under way');
    gateway.close(shutdownMs).then(
      () => {
        objects.close();
        log.info({}, 'the gateway has stopped');
      },
      (error: unknown) => {
        log.error({ error: String(error) }, 'the gateway did not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`pawl gateway: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
