// Composes a worker: DAGs, tasks and systems in, a Temporal worker out that runs them all under their own names.

import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { ExternalStorage } from '@temporalio/common/lib/converter/extstore.js';
import { pino, type Logger } from 'pino';
import { admit } from '../activities/engine/admit.js';
import { catalogOf } from '../activities/engine/catalog.js';
import type { EngineActivities } from '../activities/engine/protocol.js';
import { writeRunRecord } from '../activities/engine/run-record.js';
import { taskActivities, unknownTask } from '../activities/engine/task-activity.js';
import { temporalSettings } from '../client/connect.js';
import type { Dag } from '../dag/dag.js';
import { SystemError } from '../dag/failures.js';
import type { Task } from '../dag/task.js';
import type { Systems } from '../systems/systems.js';
import { workflowBundlePath } from './bundle.js';
import { connectWorker } from './connect.js';
import { checkSearchAttributes } from './check-search-attributes.js';
import { externalStorage } from './external-storage.js';
import { failureInterceptor } from './failure-interceptor.js';
import { signsOfLifeInterceptor } from './signs-of-life-interceptor.js';

type Activity = (...args: never[]) => Promise<unknown>;

export interface PawlWorkerOptions {
  /** Stays open when the worker ends. Without one, `address` is connected to, and closed. */
  readonly connection?: NativeConnection;
  /** As Temporal's standard settings say, unless set; the namespace likewise. */
  readonly address?: string;
  readonly namespace?: string;
  /** Says the environment, too. */
  readonly systems: Systems;
  readonly dags: readonly Dag[];
  /** Tasks beside those of the DAGs. */
  readonly tasks?: readonly Task[];
  /** The models' files, by name. */
  readonly models?: ReadonlyMap<string, unknown>;
  /** Activities of Pawl's own workflows beside the engine's: functions of one JSON argument, by activity type. */
  readonly activities?: object;
  /** `pawl-<environment>` unless set. */
  readonly taskQueue?: string;
  readonly logger?: Logger;
  /** How long a run waits for a worker that knows its DAG or has its task: ten minutes unless set. */
  readonly deployWaitMs?: number;
  /** Where payloads over 256 KiB go: Pawl's bucket unless set, Temporal itself where null. */
  readonly externalStorage?: ExternalStorage | null;
  /** How long running activities have after `shutdown()` before they are told to stop: 1,000 ms unless set. */
  readonly shutdownGraceMs?: number;
  /** Further settings of Temporal's worker: concurrency, cache, tuner. */
  readonly temporal?: Partial<Omit<WorkerOptions, 'activities' | 'connection' | 'taskQueue' | 'workflowBundle'>>;
}

export interface PawlWorker {
  readonly taskQueue: string;
  /** Works until `shutdown()`; rejects where the worker breaks down. */
  run(): Promise<void>;
  /** Takes nothing new, lets activities end or hands them back, and lets `run()` return. Idempotent. */
  shutdown(): void;
}

/** Most activities wait for a job elsewhere, some for days: so many may, and a rollback still finds its place. */
const mostActivities = 2_000;

const defaultDeployWaitMs = 10 * 60_000;

/** The task queue of an environment. */
export const taskQueueOf = (environment: string): string => `pawl-${environment}`;

/**
 * Throws `InvalidInput` where two DAGs or tasks have one name, `NotFound` where the namespace lacks Pawl's search attributes,
 * `Unavailable` where Temporal does not answer.
 */
export async function createWorker(options: PawlWorkerOptions): Promise<PawlWorker> {
  const { systems, taskQueue = taskQueueOf(systems.environment) } = options;
  const settings = temporalSettings(options);
  const { namespace } = settings;
  const logger = options.logger ?? pino({ level: process.env.PAWL_LOG_LEVEL ?? 'info' });
  const activities = activitiesOf(options, logger);
  const connection = options.connection ?? (await connectWorker(settings));
  const release = async (): Promise<void> => {
    if (options.connection === undefined) await connection.close();
  };
  try {
    await checkSearchAttributes(connection, namespace);
    const storage = options.externalStorage === undefined ? externalStorage(systems.objects) : options.externalStorage;
    const worker = await Worker.create({
      // A cancellation, and the newest progress, travel with the heartbeats that the SDK lets through.
      maxHeartbeatThrottleInterval: '5 seconds',
      shutdownGraceTime: options.shutdownGraceMs ?? 1_000,
      shutdownForceTime: '60 seconds',
      // How long a run waits for the worker that knows it before another one takes it up.
      stickyQueueScheduleToStartTimeout: '5 seconds',
      // A tuner has limits of its own.
      ...(options.temporal?.tuner === undefined ? { maxConcurrentActivityTaskExecutions: mostActivities } : {}),
      ...options.temporal,
      connection,
      namespace,
      taskQueue,
      activities,
      workflowBundle: { codePath: await workflowBundlePath() },
      interceptors: { activity: [failureInterceptor, signsOfLifeInterceptor] },
      ...(storage === null ? {} : { dataConverter: { externalStorage: storage } }),
    });
    return running(worker, taskQueue, release);
  } catch (error) {
    await release();
    throw error;
  }
}

function running(worker: Worker, taskQueue: string, release: () => Promise<void>): PawlWorker {
  return {
    taskQueue,
    async run() {
      try {
        await worker.run();
      } finally {
        await release();
      }
    },
    shutdown() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}

function activitiesOf(options: PawlWorkerOptions, logger: Logger): Record<string, Activity> {
  const { systems, models = new Map<string, unknown>(), deployWaitMs = defaultDeployWaitMs } = options;
  const catalog = catalogOf(options.dags, options.tasks);
  const engine: EngineActivities = {
    admit: (request) => admit({ catalog, systems, models, deployWaitMs }, request),
    writeRunRecord: (write) => writeRunRecord(systems.objects, write),
  };
  const own: Record<string, Activity> = { ...engine, ...(options.activities as Record<string, Activity> | undefined) };
  const ofTasks = taskActivities(catalog.tasks.values(), { systems, logger: (fields) => logger.child(fields) });
  const clash = Object.keys(ofTasks).find((name) => Object.hasOwn(own, name) || name === 'default');
  if (clash !== undefined)
    throw new SystemError(
      'InvalidInput',
      `The task name ${JSON.stringify(clash)} is one that Pawl uses itself: rename the task.`,
    );
  return { ...ofTasks, ...own, default: unknownTask };
}
