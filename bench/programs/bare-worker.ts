// A Temporal worker with nothing of Pawl's but its workflow bundle: what a worker's start is compared with.
// `node bare-worker.js BUNDLE TASK_QUEUE`, TEMPORAL_ADDRESS in the environment.

import { NativeConnection, Worker } from '@temporalio/worker';

const [codePath = '', taskQueue = ''] = process.argv.slice(2);
const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowBundle: { codePath },
  activities: { nothing: async (): Promise<null> => null },
});
await worker.run();
await connection.close();
