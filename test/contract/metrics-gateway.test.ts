import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { startGateway, type RunningGateway } from '../../gateway/gateway.js';
import { GatewayMetrics } from '../../systems/metrics/gateway.js';
import { servingRecord } from '../../systems/serving/record.js';
import { endpointOf } from '../fixtures/endpoint-states.js';
import { metricsContract } from './metrics.suite.js';

const listen = { host: '127.0.0.1', port: 0 };
const log = { info: () => undefined, warn: () => undefined };

/** Answers 500 to the path `/fail`. */
function startServer(): Promise<Server> {
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    res.writeHead(req.url === '/fail' ? 500 : 200);
    res.end('{}');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// Two gateways share the traffic; the champion changes from version 1 to 2 in between.
metricsContract({
  name: 'gateway',
  async open() {
    const server = await startServer();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let state = endpointOf();
    const record = (version: number) =>
      servingRecord.parse({
        schema: 1,
        environment: 'dev',
        model: 'bot',
        version,
        key: 'key',
        epoch: 1,
        phase: 'running',
        launch: {
          artifact: { uri: 's3://bucket/artifact/', digest: '', sizeBytes: 0 },
          command: ['serve'],
          compute: 'local',
          wants: { gpus: 0, memoryBytes: 0 },
          environment: {},
          healthPath: '/health',
        },
        modelField: { kind: 'keep' },
        job: null,
        url,
        relaunches: 0,
        retireBy: null,
        changedAt: '2026-01-01T00:00:00.000Z',
      });
    const start = (): Promise<RunningGateway> =>
      startGateway({
        environment: 'dev',
        endpoints: {
          async *models() {
            yield 'bot';
          },
          read: async () => ({ state, etag: '' }),
        },
        records: { read: async (_, version) => ({ record: record(version), etag: '' }) },
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
