// Runs the pipeline on real servers with what the package gives: a worker, a client, the systems of the environment.

import { NativeConnection } from '@temporalio/worker';
import { connectPawl } from 'pawl/client';
import { composeSystems, createWorker, resolveSettings } from 'pawl/worker';
import { lengthOf, textPipeline, thousandSteps } from './text-pipeline.js';

const systems = composeSystems(resolveSettings({ environment: 'package' }, process.env), '.');
await systems.objects.createBucketIfMissing();
const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
const worker = await createWorker({ connection, systems, dags: [textPipeline, thousandSteps] });
const working = worker.run();
const { pawl, close } = await connectPawl({
  environment: systems.environment,
  bucket: systems.objects.bucketName,
  known: [textPipeline, thousandSteps],
});

const { output } = await pawl.result(await pawl.start(textPipeline, { sizeBytes: 5_000_000 }));
const { output: joined, steps } = await pawl.result(await pawl.start(thousandSteps, {}));

await close();
worker.shutdown();
await working;
await connection.close();
console.log(
  JSON.stringify({
    length: lengthOf(output),
    textLength: output.text?.length,
    total: joined?.total,
    steps: Object.keys(steps).length,
  }),
);
