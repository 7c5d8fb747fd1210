// What Pawl's engine costs: seven trivial steps by dag-run, beside a workflow written by hand for just these seven.

import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import type { ObjectStore } from '../../systems/object-store/port.js';
import type { Systems } from '../../systems/systems.js';
import { createWorker } from '../../workers/create-worker.js';
import { externalStorage } from '../../workers/external-storage.js';
import { installRuntime } from '../../workers/runtime.js';
import { byHandActivities } from '../by-hand/activities.js';
import { sevenSteps } from '../by-hand/dag.js';
import { atMost, figure, type Bench, type BenchContext } from '../report.js';
import { openBucket, openS3, openTemporal } from '../servers.js';
import { ratioOf, spreadOf } from '../statistics.js';
import { takeTurns } from '../take-turns.js';

const atOnce = 10;
const input = { model: 'support-bot', source: 's3://lake/tickets/' };

/** The worker's settings that both sides have. */
const workerSettings = {
  maxHeartbeatThrottleInterval: '5 seconds',
  shutdownGraceTime: 1_000,
  stickyQueueScheduleToStartTimeout: '5 seconds',
} as const;

const systemsWith = (objects: ObjectStore): Systems =>
  new Proxy({ environment: 'bench', objects } as Systems, {
    get(target, name) {
      if (name in target) return target[name as keyof Systems];
      throw new Error(`this bench has no system ${String(name)}`);
    },
  });

interface Side {
  readonly type: string;
  readonly taskQueue: string;
  /** Of the process, workers and client, for each single run, warm-ups too. */
  readonly cpuMs: number[];
}

interface Workers {
  readonly client: Client;
  readonly pawl: Side;
  readonly byHand: Side;
}

async function openWorkers(context: BenchContext): Promise<Workers> {
  // Log lines would stand among those of `--json`.
  installRuntime(pino({ level: 'silent' }));
  const [{ address }, s3] = await Promise.all([openTemporal(context), openS3(context)]);
  const objects = await openBucket(context, s3);
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  context.onEnd(() => connection.close());
  context.onEnd(() => native.close());
  const storage = externalStorage(objects);
  const pawl = await createWorker({
    connection: native,
    taskQueue: 'pawl',
    systems: systemsWith(objects),
    dags: [sevenSteps],
    externalStorage: storage,
    logger: pino({ level: 'silent' }),
  });
  const byHand = await Worker.create({
    ...workerSettings,
    connection: native,
    taskQueue: 'by-hand',
    activities: byHandActivities(objects),
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../by-hand/workflow.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    }),
    dataConverter: { externalStorage: storage },
  });
  const running = Promise.all([pawl.run(), byHand.run()]);
  context.onEnd(async () => {
    pawl.shutdown();
    byHand.shutdown();
    await running;
  });
  return {
    client: new Client({ connection, dataConverter: { externalStorage: storage } }),
    pawl: { type: sevenSteps.name, taskQueue: 'pawl', cpuMs: [] },
    byHand: { type: 'sevenStepsByHand', taskQueue: 'by-hand', cpuMs: [] },
  };
}

/** Milliseconds from the request to start to the result of so many runs, started at once. */
const timeRuns =
  (client: Client, { type, taskQueue, cpuMs }: Side, runs: number) =>
  async (): Promise<number> => {
    const cpuBefore = process.cpuUsage();
    const startedAtMs = performance.now();
    const results = await Promise.all(
      Array.from({ length: runs }, () =>
        client.workflow.execute<(given: object) => Promise<{ outcome: string }>>(type, {
          taskQueue,
          workflowId: `${type}-${randomUUID()}`,
          args: [input],
        }),
      ),
    );
    const tookMs = performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpuBefore);
    if (runs === 1) cpuMs.push((user + system) / 1000);
    if (results.some(({ outcome }) => outcome !== 'promoted'))
      throw new Error(`a run of ${type} did not end as it ought to`);
    return tookMs;
  };

export const lifecycle: Bench = {
  name: 'lifecycle',
  title: 'seven trivial steps by dag-run, beside a Temporal workflow written by hand',
  async run(context) {
    const { client, pawl, byHand } = await openWorkers(context);
    const [rounds, crowds, warmUps] = context.quick ? [5, 2, 2] : [60, 15, 10];
    const one = await takeTurns(
      { pawl: timeRuns(client, pawl, 1), byHand: timeRuns(client, byHand, 1) },
      { rounds, warmUps },
    );
    const crowd = await takeTurns(
      { pawl: timeRuns(client, pawl, atOnce), byHand: timeRuns(client, byHand, atOnce) },
      { rounds: crowds, warmUps: 1 },
    );
    const cpuOf = ({ cpuMs }: Side) => spreadOf(cpuMs.slice(warmUps));
    return {
      aimed: [atMost(1.1, figure('one run, Pawl to by hand', '×', ratioOf(one.pawl, one.byHand)))],
      figures: [
        figure('one run, Pawl', 'ms', spreadOf(one.pawl)),
        figure('one run, by hand', 'ms', spreadOf(one.byHand)),
        figure('one run, CPU of worker and client, Pawl', 'ms', cpuOf(pawl)),
        figure('one run, CPU of worker and client, by hand', 'ms', cpuOf(byHand)),
        figure(`${atOnce} runs at once, Pawl to by hand`, '×', ratioOf(crowd.pawl, crowd.byHand)),
        figure(`${atOnce} runs at once, Pawl`, 'ms', spreadOf(crowd.pawl)),
        figure(`${atOnce} runs at once, by hand`, 'ms', spreadOf(crowd.byHand)),
      ],
      notes: [
        'one Temporal server, one S3 server, one process with both workers and the same settings; in turns',
        'both check the parameters and every input and output with the same zod schemas, and write the same run record to S3 at start and end; by hand the parameters are checked in the workflow itself, which costs no local activity',
        'only Pawl pins a graph, sets search attributes, keeps the run’s details and a state query, and watches steps by heartbeats',
      ],
    };
  },
};
