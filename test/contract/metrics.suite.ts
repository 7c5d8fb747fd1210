// What every metrics system must do.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Metrics } from '../../systems/metrics/port.js';

export interface MetricsWorld {
  readonly metrics: Metrics;
  readonly model: string;
  /** Sends so many requests to a version, of which so many fail. */
  traffic(version: number, requests: number, errors: number): Promise<void>;
  /** From now on nobody who knows can be asked. */
  takeAway(): Promise<void>;
  close(): Promise<void>;
}

export function metricsContract(implementation: { name: string; open(): Promise<MetricsWorld> }): void {
  describe(`metrics: ${implementation.name}`, () => {
    let world: MetricsWorld;
    beforeAll(async () => void (world = await implementation.open()));
    afterAll(() => world.close());

    test('a model that nobody has watched has no measurement', async () => {
      expect(await world.metrics.measure({ model: 'unheard-of', version: 1, windowMs: 1_000 })).toBeUndefined();
    });

    test('requests, errors and latencies of one version add up, and are its alone', async () => {
      await world.traffic(1, 12, 4);
      await world.traffic(2, 5, 0);
      const measured = await world.metrics.measure({ model: world.model, version: 1, windowMs: 300_000 });
      expect(measured).toMatchObject({ requests: 12, errors: 4 });
      const { boundsMs, counts } = measured?.latency ?? { boundsMs: [], counts: [] };
      expect(counts).toHaveLength(boundsMs.length + 1);
      expect([...boundsMs]).toEqual([...boundsMs].sort((left, right) => left - right));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(12);
      expect(measured?.coveredMs).toBeGreaterThan(0);
      expect(measured?.coveredMs).toBeLessThanOrEqual(300_000);
      const other = await world.metrics.measure({ model: world.model, version: 2, windowMs: 300_000 });
      expect(other).toMatchObject({ requests: 5, errors: 0 });
    });

    test('not to know is another thing than to know of nothing', async () => {
      await world.takeAway();
      const asked = world.metrics.measure({ model: world.model, version: 1, windowMs: 1_000 });
      await expect(asked).rejects.toMatchObject({ type: 'Unavailable' });
    });
  });
}
