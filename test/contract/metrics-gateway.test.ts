import { request } from 'undici';
import { startGateway, type RunningGateway } from '../../gateway/gateway.js';
import { GatewayMetrics } from '../../systems/metrics/gateway.js';
import { endpointOf } from '../fixtures/endpoint-states.js';
import { listening, recordOf } from '../fixtures/one-upstream.js';
import { metricsContract } from './metrics.suite.js';

const listen = { host: '127.0.0.1', port: 0 };
const log = { info: () => undefined, warn: () => undefined };

// Two gateways share the traffic; the champion changes from version 1 to 2 in between.
metricsContract({
  name: 'gateway',
  async open() {
    const { server, url } = await listening((req, res) => {
      res.writeHead(req.url === '/fail' ? 500 : 200);
      res.end('{}');
    });
    let state = endpointOf();
    const start = (): Promise<RunningGateway> =>
      startGateway({
        environment: 'dev',
        endpoints: {
          async *models() {
            yield 'bot';
          },
          read: async () => ({ state, etag: '' }),
        },
        records: { read: async (_, version) => ({ record: recordOf(version, url), etag: '' }) },
        data: listen,
        admin: listen,
        log,
      });
    const gateways = await Promise.all([start(), start()]);
    const routerUrls = gateways.map(({ adminUrl }) => adminUrl);
    return {
      metrics: new GatewayMetrics({ routerUrls }),
      model: 'bot',
      async traffic(version, requests, errors) {
        state = endpointOf({ generation: version, champion: version });
        for (const { adminUrl } of gateways) {
          const synced = await request(`${adminUrl}/sync`, { method: 'POST', body: '{"model":"bot"}' });
          await synced.body.dump();
        }
        for (let index = 0; index < requests; index += 1) {
          const gateway = gateways[index % 2];
          const path = index < errors ? 'fail' : 'fine';
          await (await request(`${gateway?.url ?? ''}/models/bot/${path}`)).body.dump();
        }
      },
      takeAway: async () => void (await gateways[1]?.close()),
      async close() {
        await gateways[0]?.close();
        server.closeAllConnections();
        server.close();
      },
    };
  },
});
