// Metrics from the gateways themselves: each counts what passes through it, and all of them together are the truth.

import { HttpRouter } from '../serving/http-router.js';
import { mergeMeasurements } from './merge.js';
import type { Measurement, Metrics } from './port.js';

export interface GatewayMetricsOptions {
  /** The gateways' admin addresses. */
  readonly routerUrls: readonly string[];
  readonly token?: string | undefined;
}

export class GatewayMetrics implements Metrics {
  readonly name = 'gateway';
  readonly #routers: readonly HttpRouter[];

  constructor({ routerUrls, token }: GatewayMetricsOptions) {
    this.#routers = routerUrls.map((url) => new HttpRouter({ url, token }));
  }

  /** One gateway that does not answer makes the whole `Unavailable`: its part of the traffic may be the bad one. */
  async measure(query: { model: string; version: number; windowMs: number }): Promise<Measurement | undefined> {
    const parts = await Promise.all(this.#routers.map((router) => router.measure(query)));
    // A router that does not know the model sent it nothing.
    return mergeMeasurements(parts.filter((part) => part !== undefined));
  }
}
