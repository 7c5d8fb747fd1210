// Records the histories that the replay test runs again: `npx tsx test/replay/record.ts [name…]`, with the code as it is now.
// Record anew only where a change of the workflows is meant, and no run of the old code can be open any more.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { startTemporalServer } from '../../deploy/embedded/temporal-server.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';
import type { Systems } from '../../systems/systems.js';
import { createWorker } from '../../workers/create-worker.js';
import { installRuntime } from '../../workers/runtime.js';
import type { RunState } from '../../workflows/dag-run/run-state.js';
import { saveHistory } from './save-history.js';
import { scenarioDags, scenarios } from './scenarios.js';

const logger = pino({ level: 'fatal' });
installRuntime(logger);
const server = await startTemporalServer();
const connection = await Connection.connect({ address: server.address });
const client = new Client({ connection });
const worker = await createWorker({
  address: server.address,
  dags: scenarioDags,
  systems: { environment: 'dev', objects: new MemoryObjectStore() } as unknown as Systems,
  externalStorage: null,
  deployWaitMs: 2_000,
  // Part of its sticky queue's name, which a history holds.
  temporal: { identity: 'recorder' },
  logger,
});
const running = worker.run();
const only = process.argv.slice(2);
for (const { name, workflowType, input, cancelDuring } of scenarios) {
  if (only.length > 0 && !only.includes(name)) continue;
  const handle = await client.workflow.start(workflowType, {
    taskQueue: worker.taskQueue,
    workflowId: name,
    args: [input],
  });
  if (cancelDuring !== undefined) {
    for (;;) {
      const { steps } = await handle.query<RunState>('state');
      if (steps.find(({ id }) => id === cancelDuring)?.status === 'running') break;
      await sleep(50);
    }
    await handle.cancel();
  }
  await handle.result().catch(() => undefined);
  await saveHistory(name, handle);
}
worker.shutdown();
await running;
await connection.close();
await server.stop();
