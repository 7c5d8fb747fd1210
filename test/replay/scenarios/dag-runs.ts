// The runs of DAGs whose histories are recorded: one for each way in which a run can go and end.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { pino } from 'pino';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';
import type { Systems } from '../../../systems/systems.js';
import { createWorker } from '../../../workers/create-worker.js';
import type { RunState } from '../../../workflows/dag-run/run-state.js';
import { healthy, until } from '../../workflow/rollout-story.js';
import type { Stage } from '../../workflow/rollout-stage.js';
import { ends, hasClosed, recorder, story, type Scenario } from '../scenario.js';
import { recordedDags } from './recorded-dags.js';

interface Run {
  readonly workflowType: string;
  readonly input: object;
  /** Cancelled once this step is running. */
  readonly cancelDuring?: string;
}

const run = (name: string, told: Run): Scenario => ({
  names: [name],
  async record(address, save) {
    const connection = await Connection.connect({ address });
    const worker = await createWorker({
      address,
      dags: recordedDags,
      systems: { environment: 'dev', objects: new MemoryObjectStore() } as unknown as Systems,
      externalStorage: null,
      deployWaitMs: 2_000,
      temporal: recorder,
      logger: pino({ level: 'silent' }),
    });
    const running = worker.run();
    try {
      const { workflowType, input, cancelDuring } = told;
      const client = new Client({ connection });
      // Ids of children are made from it.
      const start = { taskQueue: worker.taskQueue, workflowId: name, args: [input] };
      const handle = await client.workflow.start(workflowType, start);
      if (cancelDuring !== undefined) {
        await isRunning(handle, cancelDuring);
        await handle.cancel();
      }
      await hasClosed(handle);
      await save(name, handle);
    } finally {
      worker.shutdown();
      await running;
      await connection.close();
    }
  },
});

async function isRunning(handle: WorkflowHandle, step: string): Promise<void> {
  for (;;) {
    const { steps } = await handle.query<RunState>('state');
    if (steps.find(({ id }) => id === step)?.status === 'running') return;
    await sleep(50);
  }
}

/** As an engineer does, by name: a run of one step that is a workflow and outlives the run. */
const canaryDeploy = ({ client, model, taskQueue }: Stage, workflowId: string) =>
  client.workflow.start('canary-deploy', { taskQueue, workflowId, args: [{ model, version: 2 }] });

export const dagRuns: readonly Scenario[] = [
  run('dag-run-succeeded', { workflowType: 'whole', input: { how: 'well' } }),
  run('dag-run-retried', { workflowType: 'whole', input: { how: 'flaky' } }),
  run('dag-run-skipped', { workflowType: 'whole', input: { how: 'reject' } }),
  run('dag-run-own-outcome', { workflowType: 'rejecting', input: { how: 'reject' } }),
  run('dag-run-failed', { workflowType: 'whole', input: { how: 'fail' } }),
  run('dag-run-cancelled', { workflowType: 'whole', input: { how: 'hang' }, cancelDuring: 'work' }),
  run('dag-run-stopped', { workflowType: 'whole', input: { how: 'well', stopAfter: 'work' } }),
  run('dag-run-dry', { workflowType: 'whole', input: { how: 'well', dryRun: true } }),
  run('dag-run-refused', { workflowType: 'whole', input: { hwo: 'well' } }),
  run('dag-run-unknown', { workflowType: 'hole', input: {} }),
  run('dag-run-task-alone', { workflowType: 'work', input: { how: 'well', rows: 1 } }),
  run('dag-run-nested', { workflowType: 'parent', input: { how: 'well' } }),
  run('dag-run-nested-failed', { workflowType: 'parent', input: { how: 'fail' } }),
  story({
    names: ['dag-run-canary-deploy'],
    async tell(stage) {
      healthy(stage, 2);
      const asked = await canaryDeploy(stage, 'dag-run-canary-deploy');
      await ends(asked, 'promoted');
      return { 'dag-run-canary-deploy': asked };
    },
  }),
  story({
    names: ['dag-run-canary-deploy-cancelled'],
    async tell(stage) {
      const asked = await canaryDeploy(stage, 'dag-run-canary-deploy-cancelled');
      await until(stage, ({ operation }) => operation?.weightPercent === 10);
      await asked.cancel();
      await ends(asked, 'rolled-back');
      return { 'dag-run-canary-deploy-cancelled': asked };
    },
  }),
];
