// One version as the gateway reaches it: its connections and its traffic.

import { Pool } from 'undici';
import type { ModelField, ServingRecord } from '../systems/serving/record.js';
import type { VersionTraffic } from './measurement.js';

export interface UpstreamTimeouts {
  readonly connectTimeoutMs: number;
  /** From the request's end to the answer's first byte. */
  readonly headersTimeoutMs: number;
  /** Longest silence within an answer. */
  readonly bodyTimeoutMs: number;
}

export class Upstream {
  readonly pool: Pool;
  readonly origin: string;
  /** Without a slash at its end. */
  readonly basePath: string;

  constructor(
    readonly url: string,
    timeouts: UpstreamTimeouts,
  ) {
    const parsed = new URL(url);
    this.origin = parsed.origin;
    this.basePath = parsed.pathname.replace(/\/+$/, '');
    this.pool = new Pool(this.origin, {
      connections: 1024,
      pipelining: 1,
      connect: { timeout: timeouts.connectTimeoutMs },
      headersTimeout: timeouts.headersTimeoutMs,
      bodyTimeout: timeouts.bodyTimeoutMs,
      // Model servers close idle connections after five seconds, as uvicorn does: be the first.
      keepAliveTimeout: 4_000,
    });
  }
}

export class Target {
  readonly versionText: string;
  upstream: Upstream | undefined;
  modelField: ModelField = { kind: 'keep' };

  constructor(
    readonly version: number,
    readonly traffic: VersionTraffic,
  ) {
    this.versionText = String(version);
  }

  /** Takes over what the record says; requests under way on an earlier address run to their end. */
  apply(record: ServingRecord, timeouts: UpstreamTimeouts): void {
    this.modelField = record.modelField;
    const url = record.phase === 'retired' ? null : record.url;
    if (this.upstream?.url === (url ?? undefined)) return;
    this.close();
    this.upstream = url === null ? undefined : new Upstream(url, timeouts);
  }

  close(): void {
    // Waits for what is under way; there is nobody to tell when it fails.
    this.upstream?.pool.close().catch(() => undefined);
    this.upstream = undefined;
  }
}
