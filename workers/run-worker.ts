// A worker as a deployment runs it: the ready-made pipelines and a team's project, the systems of its settings, one Temporal worker.

import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createRolloutActivities } from '../activities/rollout/rollout-activities.js';
import { lazyClient, temporalSettings } from '../client/connect.js';
import { readyMadeDags, readyMadeTasks } from '../pipelines/ready-made.js';
import { ServingKeeper } from '../systems/serving/keeper.js';
import { connectWorker, startPatienceMs } from './connect.js';
import { createWorker, type PawlWorkerOptions } from './create-worker.js';
import { externalStorage } from './external-storage.js';
import type { Project } from './project.js';
import { Reaper } from './reaper.js';
import { startRounds } from './rounds.js';
import { composeSystems, nothingAround, type Around } from './systems.js';

export interface RunningWorker {
  /** Resolves once the worker has shut down; rejects where it breaks down. */
  readonly done: Promise<void>;
  readonly taskQueue: string;
  /** Takes nothing new, and lets activities end or hands them back. Idempotent. */
  shutdown(): void;
}

export interface RunWorkerOptions {
  /** What stands between the worker and the outside world: nothing unless set. */
  readonly around?: Around;
  readonly temporal?: PawlWorkerOptions['temporal'];
  /** One that is being made already; closed with the worker. */
  readonly connecting?: Promise<NativeConnection>;
}

const reapEveryMs = 60_000;
/** The keeper's first look loads the S3 client: a worker polls before that. */
const keepAfterMs = 1_000;

/** Throws what `createWorker` and `composeSystems` throw. */
export async function runWorker(
  project: Project,
  logger: Logger,
  { around = nothingAround, temporal: tuning = {}, connecting }: RunWorkerOptions = {},
): Promise<RunningWorker> {
  const systems = composeSystems(project.settings, project.root, around);
  const temporal = temporalSettings();
  const storage = externalStorage(systems.objects);
  // Connects with a rollout's first request or the reaper's first look: the worker's own connection tells whether Temporal answers.
  const client = lazyClient(temporal, storage);
  const connection = await (connecting ?? connectWorker(temporal, startPatienceMs));
  const disconnect = async (): Promise<void> => {
    await connection.close();
    await client.close();
  };
  const worker = await createWorker({
    connection,
    namespace: temporal.namespace,
    systems,
    dags: [...readyMadeDags, ...project.dags],
    tasks: [...readyMadeTasks, ...project.tasks],
    models: project.models,
    activities: { ...createRolloutActivities({ systems, client: around('temporal', client.client) }) },
    externalStorage: storage,
    temporal: tuning,
    logger,
  }).catch(async (error: unknown) => {
    // Else they keep the process alive, with nothing to do.
    await disconnect();
    throw error;
  });
  const keeper = new ServingKeeper({ endpoints: systems.endpoints, serving: systems.serving, log: logger });
  const reaper = new Reaper({ systems, client: client.client, log: logger });
  const stopRounds = [
    startRounds({
      pass: (signal) => keeper.pass(signal),
      pauseMs: () => keeper.pauseMs,
      firstAfterMs: keepAfterMs,
    }),
    startRounds({ pass: (signal) => reaper.pass(signal), pauseMs: () => reapEveryMs, firstAfterMs: reapEveryMs }),
  ];
  const work = async (): Promise<void> => {
    try {
      await worker.run();
    } finally {
      await Promise.all(stopRounds.map((stop) => stop()));
      await disconnect();
    }
  };
  return { done: work(), taskQueue: worker.taskQueue, shutdown: () => worker.shutdown() };
}
