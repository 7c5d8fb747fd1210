// Temporal and S3 of one machine, each only where the environment does not name one that runs already.

import { join } from 'node:path';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import { addressInEnvironment } from '../embedded/find-program.js';
import { startS3Server, type S3Access } from '../embedded/s3-server.js';
import { servers } from '../embedded/servers.js';
import { startTemporalServer } from '../embedded/temporal-server.js';
import { localFolder, type DevFile, type LocalPorts } from './dev-file.js';
import { freshLog } from './log-files.js';

export interface ServersRequest {
  readonly root: string;
  readonly ports: LocalPorts;
  readonly keys: DevFile['keys'];
  readonly environment: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
}

export interface LocalServers {
  /** Absent where the environment names one. `ended`: a sentence, once it is gone. */
  readonly temporal:
    | { readonly address: string; readonly namespace: string; readonly uiUrl?: string; readonly ended: Promise<string> }
    | undefined;
  readonly s3: { readonly access: S3Access; readonly ended: Promise<string> } | undefined;
}

type Stops = (() => Promise<unknown>)[];

/** What ends each of them is added to `stops` as soon as it runs, also where the other one fails. Throws `Unavailable`. */
export async function startServers(request: ServersRequest, stops: Stops): Promise<LocalServers> {
  const [temporal, s3] = await Promise.allSettled([startTemporal(request, stops), startS3(request, stops)]);
  if (temporal.status === 'rejected') throw temporal.reason;
  if (s3.status === 'rejected') throw s3.reason;
  return { temporal: temporal.value, s3: s3.value };
}

async function startTemporal(request: ServersRequest, stops: Stops): Promise<LocalServers['temporal']> {
  const { root, ports, environment, onProgress } = request;
  if (addressInEnvironment(servers.temporal, environment) !== undefined) return undefined;
  const logFile = await freshLog(root, 'temporal');
  const { stop, waitUntilEnded, address, namespace, uiUrl } = await startTemporalServer({
    dataFile: join(localFolder(root), 'temporal.db'),
    port: ports.temporal,
    uiPort: ports.temporalUi,
    logFile,
    onProgress,
  });
  stops.push(stop);
  const ended = waitUntilEnded().then((ending) => `Temporal ended (${ending}): see ${logFile}`);
  return { address, namespace, ...(uiUrl !== undefined && { uiUrl }), ended };
}

async function startS3(request: ServersRequest, stops: Stops): Promise<LocalServers['s3']> {
  const { root, ports, keys, environment, onProgress } = request;
  if (addressInEnvironment(servers.versitygw, environment) !== undefined) return undefined;
  const logFile = await freshLog(root, 's3');
  const { stop, waitUntilEnded, endpoint, region, accessKeyId, secretAccessKey } = await startS3Server({
    folder: join(localFolder(root), 's3'),
    port: ports.s3,
    accessKeyId: keys.accessKeyId,
    secretAccessKey: keys.secretAccessKey,
    logFile,
    onProgress,
  });
  stops.push(stop);
  const ended = waitUntilEnded().then((ending) => `S3 ended (${ending}): see ${logFile}`);
  return { access: { endpoint, region, accessKeyId, secretAccessKey }, ended };
}

export async function createBucket(access: S3Access, bucket: string): Promise<void> {
  const { endpoint, region, ...credentials } = access;
  const store = new S3ObjectStore({ bucket, endpoint, region, credentials });
  await store.createBucketIfMissing().finally(() => store.close());
}
