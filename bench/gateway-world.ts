// A gateway as a process between two mock model servers, in the middle of a canary: S3, endpoint object and lease are real.

import { setTimeout as sleep } from 'node:timers/promises';
import { startGuardedProcess, type GuardedProcess } from '../deploy/embedded/child-process.js';
import { freePort } from '../deploy/embedded/ports.js';
import { moveEndpoint } from '../systems/endpoint/move.js';
import { ObjectStoreEndpoints } from '../systems/endpoint/object-store.js';
import type { EndpointState } from '../systems/endpoint/state.js';
import { firstPromotion, nameChallenger, shiftWeight, type Transition } from '../systems/endpoint/transitions.js';
import { HttpRouter } from '../systems/serving/http-router.js';
import { ServingRecords } from '../systems/serving/records.js';
import { compiled } from './compiled.js';
import type { BenchContext } from './report.js';
import { awsVariables, openBucket, openS3 } from './servers.js';

export const challengerPercent = 20;

const environment = 'bench';
const model = 'bot';
const trial = 'trial-1';
const [champion, challenger] = [1, 2];
/** Longer than the bench: nobody renews it. */
const leaseMs = 3_600_000;

export interface GatewayBenchWorld {
  readonly championUrl: string;
  readonly challengerUrl: string;
  readonly gatewayUrl: string;
  readonly gatewayPid: number;
  /** Of all requests that the gateway has counted; throws where one of them failed. */
  challengerShare(): Promise<number>;
}

export async function openGatewayWorld(context: BenchContext): Promise<GatewayBenchWorld> {
  const { command } = await compiled();
  const s3 = await openS3(context);
  const objects = await openBucket(context, s3);
  const endpoints = new ObjectStoreEndpoints(objects, environment);
  const records = new ServingRecords({ objects, environment });

  const start = async (
    program: string,
    { args = [], env = {} }: { args?: readonly string[]; env?: Readonly<Record<string, string>> },
  ): Promise<GuardedProcess> => {
    const { command: node, args: line } = command(program, args);
    const profile = program === 'gateway/main' ? profileArgs() : [];
    const child = await startGuardedProcess({
      command: node,
      args: [...profile, ...line],
      env: { ...process.env, ...env },
    });
    context.onEnd(() => child.stop());
    return child;
  };
  const serve = async (version: number): Promise<string> => {
    const port = await freePort();
    const server = await start('bench/programs/mock-model-server', { args: [String(port)] });
    const url = `http://127.0.0.1:${port}`;
    await untilAnswers(server, `${url}/health`);
    await records.write(recordOf(version, url), null);
    return url;
  };
  let moves = 0;
  const move = async (decide: (state: EndpointState | null, act: Act) => Transition): Promise<EndpointState> => {
    const act = { operationId: `move-${++moves}`, by: 'bench', reason: 'bench', at: new Date().toISOString() };
    const { operationId } = act;
    const moved = await moveEndpoint(endpoints, model, { operationId, decide: (state) => decide(state, act) });
    if (!moved.moved) throw new Error(moved.refusal);
    return moved.state;
  };

  const [championUrl, challengerUrl] = [await serve(champion), await serve(challenger)];
  await move((state, act) => firstPromotion(state, act, { environment, model, version: champion, leaseMs }));
  const [port, adminPort] = [await freePort(), await freePort()];
  const gateway = await start('gateway/main', {
    env: {
      ...awsVariables(s3),
      PAWL_ENVIRONMENT: environment,
      PAWL_BUCKET: objects.bucketName,
      PAWL_GATEWAY_PORT: String(port),
      PAWL_GATEWAY_ADMIN_PORT: String(adminPort),
    },
  });
  const gatewayUrl = `http://127.0.0.1:${port}`;
  await untilAnswers(gateway, `${gatewayUrl}/health`);
  const router = new HttpRouter({ url: `http://127.0.0.1:${adminPort}` });
  const acknowledge = async ({ generation }: EndpointState): Promise<void> => {
    await router.sync(model);
    const { lease } = await router.renewLease(model, { generation, trial, leaseMs });
    if (lease !== 'held') throw new Error(`the lease is ${lease}`);
  };
  await acknowledge(await move((state, act) => nameChallenger(state, act, { version: challenger, trial, leaseMs })));
  await acknowledge(await move((state, act) => shiftWeight(state, act, { trial, weightPercent: challengerPercent })));

  return {
    championUrl,
    challengerUrl,
    gatewayUrl,
    gatewayPid: gateway.pid,
    async challengerShare() {
      const counts = await Promise.all(
        [champion, challenger].map((version) => router.measure({ model, version, windowMs: 900_000 })),
      );
      const [ofChampion = 0, ofChallenger = 0] = counts.map((counted) => counted?.requests ?? 0);
      if (counts.some((counted) => (counted?.errors ?? 1) > 0)) throw new Error('the gateway counted failed requests');
      return ofChallenger / (ofChampion + ofChallenger);
    },
  };
}

/** With PAWL_BENCH_PROFILE set to a folder, the gateway leaves a CPU profile there: to be opened in a browser's tools. */
const profileArgs = (): readonly string[] => {
  const folder = process.env['PAWL_BENCH_PROFILE'];
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
};

type Act = Parameters<typeof shiftWeight>[1];

const recordOf = (version: number, url: string): Parameters<ServingRecords['write']>[0] => ({
  schema: 1,
  environment,
  model,
  version,
  key: `serve-${version}`,
  epoch: 1,
  phase: 'running',
  launch: {
    artifact: { uri: 's3://bench/none/', digest: '0'.repeat(64), sizeBytes: 1 },
    command: ['none'],
    compute: 'local',
    wants: { gpus: 0, memoryBytes: 0 },
    environment: {},
    healthPath: '/health',
  },
  modelField: { kind: 'remove' },
  job: null,
  url,
  predecessor: null,
  earlierKeys: [],
  relaunches: 0,
  retireBy: null,
  changedAt: new Date().toISOString(),
});

async function untilAnswers(child: GuardedProcess, url: string): Promise<void> {
  for (;;) {
    const ok = await fetch(url).then(
      async (answer) => (await answer.arrayBuffer(), answer.ok),
      () => false,
    );
    if (ok) return;
    if (child.ended() !== undefined) throw new Error(`a server ended before it answered: ${await child.tail()}`);
    await sleep(20);
  }
}
