// A worker that dies at its effects (effects.ts): `worker.ts PROJECT FILE…`. It is composed as every worker is, and stands by
// until it is told to work, so that the next one is there as soon as one has died.

import { once } from 'node:events';
import { pino } from 'pino';
import { loadProject } from '../../workers/project.js';
import { runWorker } from '../../workers/run-worker.js';
import { installRuntime } from '../../workers/runtime.js';
import { Effects, type EffectPlan } from './effects.js';

const [root = '.', ...files] = process.argv.slice(2);
const logger = pino({ level: process.env['PAWL_LOG_LEVEL'] ?? 'warn', base: { pid: process.pid } });
process.once('disconnect', () => process.exit(1));
installRuntime(logger);
const project = await loadProject(root, files);
const [plan] = (await once(process, 'message')) as [EffectPlan];
const { around } = new Effects(plan);
const worker = await runWorker(project, logger, {
  around,
  // A run that waits for the worker that knew it waits for a dead one here.
  temporal: { stickyQueueScheduleToStartTimeout: '500ms' },
});
process.once('SIGTERM', () => worker.shutdown());
await worker.done;
process.exit(0);
