// A gateway put together: follower, measurements, data server and admin server. main.ts runs one as a process, tests start it
// where they are.

import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Endpoints } from '../systems/endpoint/port.js';
import type { RecordReading } from '../systems/serving/records.js';
import { createAdminServer } from './admin-server.js';
import type { BodyLimits } from './body.js';
import { DataServer } from './data-server.js';
import { EndpointFollower, type FollowerLog } from './endpoint-follower.js';
import { Measurements } from './measurement.js';
import type { UpstreamTimeouts } from './target.js';

export interface Listen {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface GatewayOptions {
  readonly environment: string;
  readonly endpoints: Pick<Endpoints, 'models' | 'read'>;
  readonly records: { read(model: string, version: number): Promise<RecordReading | undefined> };
  readonly data: Listen;
  readonly admin: Listen;
  readonly log: FollowerLog;
  readonly token?: string | undefined;
  readonly pollMs?: number;
  readonly readTimeoutMs?: number;
  readonly timeouts?: UpstreamTimeouts;
  readonly limits?: BodyLimits;
  /** As in `DataServerContext`; a minute unless set. */
  readonly userSilenceMs?: number;
  /** In [0, 1), for every request without a key. */
  readonly random?: () => number;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

export interface RunningGateway {
  readonly id: string;
  /** Where users ask. */
  readonly url: string;
  readonly adminUrl: string;
  /** Takes no more requests, ends those under way within `graceMs`, and lets everything go. */
  close(graceMs?: number): Promise<void>;
}

const defaultTimeouts: UpstreamTimeouts = {
  connectTimeoutMs: 2_000,
  headersTimeoutMs: 300_000,
  bodyTimeoutMs: 300_000,
};
const defaultLimits: BodyLimits = { maxBodyBytes: 64 * 1024 ** 2, maxBufferedBytes: 1024 ** 2 };

/** Starts a gateway; answers once it listens and has tried to read every endpoint. Throws where a port is taken. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const nowMs = options.nowMs ?? (() => performance.now());
  const id = `gateway-${process.pid}-${randomBytes(3).toString('hex')}`;
  const measurements = new Measurements(nowMs);
  const follower = new EndpointFollower({
    endpoints: options.endpoints,
    records: options.records,
    measurements,
    timeouts: options.timeouts ?? defaultTimeouts,
    pollMs: options.pollMs ?? 2_000,
    readTimeoutMs: options.readTimeoutMs ?? 5_000,
    log: options.log,
  });
  const data = new DataServer({
    follower,
    nowMs,
    random: options.random ?? Math.random,
    userSilenceMs: options.userSilenceMs ?? 60_000,
    ...(options.limits ?? defaultLimits),
  });
  const { environment, token } = options;
  const admin = createAdminServer({ id, environment, follower, measurements, token });
  await follower.start();
  try {
    await listen(admin, options.admin);
    await listen(data.server, options.data);
  } catch (error) {
    admin.close();
    await follower.stop();
    throw error;
  }
  return {
    id,
    url: urlOf(data.server),
    adminUrl: urlOf(admin),
    async close(graceMs = 30_000): Promise<void> {
      // The admin API answers to the end: a controller that asks what is under way shall know.
      await data.close(graceMs);
      admin.closeAllConnections();
      await new Promise<void>((resolve) => admin.close(() => resolve()));
      await follower.stop();
    },
  };
}

const listen = (server: Server, { host, port }: Listen): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
