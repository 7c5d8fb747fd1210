// How soon a worker works: from the start of its process to its first poll, as the Temporal server sees it.

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { startGuardedProcess } from '../../deploy/embedded/child-process.js';
import { taskQueueOf } from '../../workers/create-worker.js';
import { compiled } from '../compiled.js';
import { cpuMsOf } from '../process-cpu.js';
import { atMost, figure, type Bench } from '../report.js';
import { awsVariables, openBucket, openS3, openTemporal } from '../servers.js';
import { ratioOf, spreadOf } from '../statistics.js';
import { takeTurns } from '../take-turns.js';

/** Often enough for a second, and seldom enough that the answers take no core away from the worker that starts. */
const lookEveryMs = 25;
/** `TASK_QUEUE_TYPE_WORKFLOW` in Temporal's API. */
const workflowQueue = 1;
const patienceMs = 60_000;

export const workerStart: Bench = {
  name: 'worker-start',
  title: 'from the start of the process to the first poll, beside a bare Temporal worker with the same bundle',
  async run(context) {
    const { command, workflowBundle } = await compiled();
    const [{ address }, s3] = await Promise.all([openTemporal(context), openS3(context)]);
    const objects = await openBucket(context, s3);
    const connection = await Connection.connect({ address });
    context.onEnd(() => connection.close());
    const project = join(context.folder, 'project');
    await mkdir(project);

    const polls = async (taskQueue: string): Promise<boolean> => {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: 'default',
        taskQueue: { name: taskQueue },
        taskQueueType: workflowQueue,
      });
      return (pollers ?? []).length > 0;
    };
    const cpu = { pawl: [] as number[], bare: [] as number[] };
    const timeStart =
      (side: keyof typeof cpu, programOf: (environment: string) => { command: string; args: string[] }) =>
      async (): Promise<number> => {
        const environment = `b${randomUUID().slice(0, 8)}`;
        const startedAtMs = performance.now();
        const child = await startGuardedProcess({
          ...programOf(environment),
          env: {
            ...process.env,
            ...awsVariables(s3),
            TEMPORAL_ADDRESS: address,
            PAWL_ENVIRONMENT: environment,
            PAWL_BUCKET: objects.bucketName,
          },
        });
        try {
          while (!(await polls(taskQueueOf(environment)))) {
            if (child.ended() !== undefined) throw new Error(`a worker ended before it polled: ${await child.tail()}`);
            if (performance.now() - startedAtMs > patienceMs) throw new Error('a worker did not poll within a minute');
            await sleep(lookEveryMs);
          }
          const tookMs = performance.now() - startedAtMs;
          cpu[side].push(cpuMsOf(child.pid) ?? NaN);
          return tookMs;
        } finally {
          await child.stop();
        }
      };
    const turns = await takeTurns(
      {
        pawl: timeStart('pawl', () => command('workers/main', [project])),
        bare: timeStart('bare', (environment) =>
          command('bench/programs/bare-worker', [workflowBundle, taskQueueOf(environment)]),
        ),
      },
      context.quick ? { rounds: 2 } : { rounds: 15, warmUps: 2 },
    );
    return {
      aimed: [atMost(1_000, figure('Pawl', 'ms', spreadOf(turns.pawl)))],
      figures: [
        figure('bare Temporal worker', 'ms', spreadOf(turns.bare)),
        figure('Pawl to bare', '×', ratioOf(turns.pawl, turns.bare)),
        figure('Pawl, CPU until then', 'ms', spreadOf(cpu.pawl)),
        figure('bare Temporal worker, CPU until then', 'ms', spreadOf(cpu.bare)),
      ],
      notes: [
        `compiled as the package is, prebuilt bundle; the server is asked for pollers every ${lookEveryMs} ms`,
        'Pawl’s worker has the ready-made pipelines and an empty project, and has checked the search attributes by then',
      ],
    };
  },
};
