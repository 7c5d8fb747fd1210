import { inject } from 'vitest';
import { endTrial } from '../../systems/endpoint/transitions.js';
import { GatewayWorld, type GatewayProcess } from '../fixtures/gateway-world.js';
import { servingContract } from './serving.suite.js';

const behaviours = { good: {}, ends: { exitAtStart: 1 }, errs: { failEvery: 1 } };

servingContract({
  name: 'gateway',
  async open() {
    const world = await GatewayWorld.open(inject('s3'));
    const start = (ports: Readonly<Record<string, string>> = {}): Promise<GatewayProcess[]> =>
      Promise.all(['1', '2'].map((seed) => world.readyGateway({ PAWL_GATEWAY_SEED: seed, ...ports })));
    let gateways = await start();
    const keyOf = (version: number): string => `serve-${world.model}-${version}`;
    return {
      serving: world.serving(gateways),
      get trial() {
        return world.trial;
      },
      request: (version, kind) => world.launchRequest(version, behaviours[kind]),
      async running(version) {
        let running = 0;
        for await (const { key, state } of world.compute.list())
          if (key.startsWith(keyOf(version)) && state.phase === 'running') running += 1;
        return running;
      },
      async crash(version) {
        for await (const { key, epoch, host } of world.compute.list())
          if (key === keyOf(version)) await world.compute.end({ compute: 'local', host, key, epoch });
      },
      promoteFirst: (version) => world.promoteFirst(version),
      nameChallenger(version) {
        world.nextTrial();
        return world.nameChallenger(version);
      },
      shiftWeight: (weightPercent) => world.shiftWeight(weightPercent),
      abort: () => world.move((state, act) => endTrial(state, act, { trial: world.trial, kind: 'abort' })),
      async restartRouters() {
        await Promise.all(gateways.map((gateway) => gateway.kill()));
        // The worker goes on asking the same addresses.
        gateways = await Promise.all(
          gateways.map(({ adminUrl }) => world.readyGateway({ PAWL_GATEWAY_ADMIN_PORT: new URL(adminUrl).port })),
        );
      },
      close: () => world.close(),
    };
  },
});
