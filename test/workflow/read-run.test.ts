// How a command reads a run that Temporal was asked to reset.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { RunReader } from '../../cli/read-run.js';
import { PawlClient } from '../../client/client.js';
import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import { openBench, resultOf } from './engine-fixture.js';

const greet = task({
  name: 'greet',
  version: '1',
  input: z.object({}),
  output: z.object({ said: z.string() }),
  run: () => ({ said: 'hello' }),
});
const greeting = dag({ name: 'greeting', params: z.object({}) }, ({ step }) => step(greet, {}));

it('finds its record, with no worker, under the run that began it', async () => {
  const bench = await openBench([], { withoutWorker: true });
  try {
    const worker = await bench.addWorker({ dags: [greeting] });
    const run = await bench.start('greeting');
    await resultOf(run);
    const { events } = await run.fetchHistory();
    const firstTask = events?.find((event) => event.workflowTaskCompletedEventAttributes != null);
    const { runId } = await bench.client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.workflowId, runId: run.firstExecutionRunId },
      reason: 'a test',
      workflowTaskFinishEventId: firstTask?.eventId ?? null,
      requestId: randomUUID(),
    });
    await bench.client.workflow.getHandle(run.workflowId, runId ?? '').result();
    await worker.stop();

    const pawl = new PawlClient({ client: bench.client, environment: 'dev', taskQueue: bench.taskQueue });
    const view = await new RunReader(pawl, bench.objects).read(run.workflowId);
    expect(view).toMatchObject({ runId, firstRunId: run.firstExecutionRunId, outcome: 'succeeded' });
    expect(view.steps).toMatchObject([{ id: 'greet', status: 'success' }]);
  } finally {
    await bench.close();
  }
});

it('says what a run waits for whose DAG no worker knows, and lists it although nobody said whose it is', async () => {
  const bench = await openBench([greeting], { deployWaitMs: 600_000 });
  try {
    // As Temporal's own tools start it: by its name alone.
    const run = await bench.start('greetign');
    const pawl = new PawlClient({ client: bench.client, environment: 'dev', taskQueue: bench.taskQueue });
    const reader = new RunReader(pawl, bench.objects);
    const known =
      /^waits for a worker that takes it up, and fails at [\d:]+ without one: No DAG or task is named "greetign" here; known are greet, greeting\.$/;
    await expect.poll(async () => (await reader.read(run.workflowId)).notes).toEqual([expect.stringMatching(known)]);
    const listed = async (): Promise<string[]> => {
      const ids: string[] = [];
      for await (const { workflowId } of pawl.list({ dag: 'greetign', open: true })) ids.push(workflowId);
      return ids;
    };
    await expect.poll(listed).toContain(run.workflowId);
    await run.cancel();
  } finally {
    await bench.close();
  }
});
