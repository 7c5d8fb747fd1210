// A worker in a process of its own, which a test kills: `tsx crash-worker.ts <settings as JSON>`.

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { dag } from '../../dag/dag.js';
import { jobTask, task } from '../../dag/task.js';
import { S3ObjectStore } from '../../systems/object-store/s3.js';
import type { Systems } from '../../systems/systems.js';
import { createWorker } from '../../workers/create-worker.js';
import { installRuntime } from '../../workers/runtime.js';

export interface CrashSettings {
  readonly address: string;
  readonly taskQueue: string;
  /** Where the tasks note what they did. */
  readonly folder: string;
  readonly name: string;
  readonly s3: { bucket: string; endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };
}

const settings = JSON.parse(process.argv[2] ?? '{}') as CrashSettings;
const note = (line: string) => appendFile(join(settings.folder, 'notes'), `${settings.name} ${line}\n`);
const hang = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));

const prepare = task({
  name: 'prepare',
  version: '1',
  input: z.object({}),
  output: z.object({ rows: z.number() }),
  run: async () => {
    await note('prepare');
    return { rows: 7 };
  },
});

const chew = task({
  name: 'chew',
  version: '1',
  input: z.object({ rows: z.number() }),
  output: z.object({ attempt: z.number(), resumedFrom: z.number().nullable() }),
  heartbeat: '1s',
  retry: { firstDelay: '50ms' },
  run: async (_, { step, progress, lastProgress, signal }) => {
    if (step.attempt === 1) {
      progress(41);
      await note('chew');
      await hang(signal);
    }
    await note('chew');
    return { attempt: step.attempt, resumedFrom: typeof lastProgress === 'number' ? lastProgress : null };
  },
});

const remote = jobTask({
  name: 'remote',
  version: '1',
  input: z.object({ rows: z.number() }),
  output: z.object({ by: z.string() }),
  heartbeat: '1s',
  retry: { attempts: 1, firstDelay: '50ms' },
  submit: async (_, { step }) => {
    await note(`submit ${step.attempt}`);
    return { key: step.key };
  },
  await: async (_input, _ref, { signal }) => {
    await note('await');
    if (settings.name === 'first' || settings.name === 'second') await hang(signal);
    return { by: settings.name };
  },
  release: async () => note('release'),
});

const crashing = dag({ name: 'crashing', params: z.object({}) }, ({ step }) => {
  const prepared = step(prepare, {});
  const chewed = step(chew, { rows: prepared.rows });
  const job = step(remote, { rows: prepared.rows }, { after: chewed });
  return { attempt: chewed.attempt, resumedFrom: chewed.resumedFrom, by: job.by };
});

const { bucket, endpoint, region, ...credentials } = settings.s3;
const objects = new S3ObjectStore({ bucket, endpoint, region, credentials });
const logger = pino({ level: 'fatal' });
installRuntime(logger);
const worker = await createWorker({
  address: settings.address,
  taskQueue: settings.taskQueue,
  dags: [crashing],
  systems: { environment: 'dev', objects } as unknown as Systems,
  logger,
});
process.once('SIGTERM', () => worker.shutdown());
await worker.run();
objects.close();
