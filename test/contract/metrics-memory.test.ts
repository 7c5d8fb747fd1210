import { MemoryMetrics } from '../../systems/metrics/memory.js';
import { metricsContract } from './metrics.suite.js';

metricsContract({
  name: 'memory',
  async open() {
    const metrics = new MemoryMetrics();
    const model = 'bot';
    return {
      metrics,
      model,
      traffic: async (version, requests, errors) => metrics.setTraffic(model, version, { requests, errors }),
      takeAway: async () => metrics.set(model, 1, 'away'),
      close: async () => undefined,
    };
  },
});
