import type { EndpointReading } from '../../systems/endpoint/port.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import {
  endTrial,
  firstPromotion,
  nameChallenger,
  shiftWeight,
  type Transition,
} from '../../systems/endpoint/transitions.js';
import { MemoryServing } from '../../systems/serving/memory.js';
import { servingContract } from './serving.suite.js';

servingContract({
  name: 'memory',
  async open() {
    const model = 'bot';
    const trialNames = ['none', 'trial-1', 'trial-2'];
    let trials = 0;
    let state: EndpointState | null = null;
    const read = async (): Promise<EndpointReading | undefined> => (state === null ? undefined : { state, etag: '' });
    const serving = new MemoryServing({ endpoints: { read }, routers: 2 });
    const move = async (decide: (act: Parameters<typeof endTrial>[1]) => Transition): Promise<EndpointState> => {
      const operationId = `move-${state?.generation ?? 0}`;
      const moved = decide({ operationId, by: 'test', reason: 'test', at: '2026-01-01T00:00:00.000Z' });
      if (!moved.allowed) throw new Error(moved.refusal);
      return (state = moved.next);
    };
    return {
      serving,
      get trial() {
        return trialNames[trials] ?? '';
      },
      async request(version, kind) {
        if (kind === 'ends') serving.behave(model, version, { comesUp: 'fails' });
        if (kind === 'errs') serving.behave(model, version, { probeErrors: 2 });
        return {
          model,
          version,
          artifact: { uri: 's3://bucket/artifact/', digest: '0'.repeat(64), sizeBytes: 1 },
          command: ['serve', '{model}'],
          compute: 'memory',
          wants: { gpus: 0, memoryBytes: 0 },
          environment: {},
          healthPath: '/health',
          key: `serve-${version}`,
        };
      },
      async running(version) {
        const launched = (await serving.launched(model)).filter((one) => one === version);
        return launched.length;
      },
      crash: async (version) => serving.crash(model, version),
      promoteFirst: (version) =>
        move((act) => firstPromotion(state, act, { environment: 'test', model, version, leaseMs: 60_000 })),
      nameChallenger: (version) => {
        trials += 1;
        return move((act) => nameChallenger(state, act, { version, trial: trialNames[trials] ?? '' }));
      },
      shiftWeight: (weightPercent) =>
        move((act) => shiftWeight(state, act, { trial: trialNames[trials] ?? '', weightPercent })),
      abort: () => move((act) => endTrial(state, act, { trial: trialNames[trials] ?? '', kind: 'abort' })),
      restartRouters: async () => serving.memoryRouters.forEach((router) => router.restart()),
      close: async () => undefined,
    };
  },
});
