// The runs whose histories are recorded: one for each way in which a run of a DAG can go and end.

import { z } from 'zod';
import { isTrue } from '../../dag/condition.js';
import { dag, type Dag } from '../../dag/dag.js';
import { SystemError } from '../../dag/failures.js';
import { jobTask, task, workflowTask } from '../../dag/task.js';

const how = z.object({ how: z.string() });

const prepare = task({
  name: 'prepare',
  version: '1',
  input: how,
  output: z.object({ rows: z.number() }),
  run: () => ({ rows: 3 }),
});

const work = task({
  name: 'work',
  version: '1',
  input: how.extend({ rows: z.number() }),
  output: z.object({ passed: z.boolean() }),
  heartbeat: '1s',
  retry: { attempts: 2, firstDelay: '10ms' },
  run: async (input, { step, signal }) => {
    if (input.how === 'fail') throw new SystemError('DataRejected', 'the data set has no rows');
    if (input.how === 'flaky' && step.attempt === 1) throw new SystemError('Unavailable', 'the lake is away');
    if (input.how === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    return { passed: input.how !== 'reject' };
  },
});

const train = jobTask({
  name: 'train',
  version: '1',
  input: how,
  output: z.object({ loss: z.number() }),
  heartbeat: '1s',
  retry: { attempts: 2, firstDelay: '10ms' },
  submit: async (_, { step }) => ({ key: step.key }),
  await: async (input, _ref, { step }) => {
    if (input.how === 'flaky' && step.attempt === 1) throw new SystemError('HostLost', 'the host stopped answering');
    return { loss: 0.5 };
  },
  release: async () => {},
});

const tidy = task({ name: 'tidy', version: '1', input: z.object({}), output: z.object({}), run: () => ({}) });

/** A setup with its teardown, a condition, a retry, a job, and an outcome of its own. */
const whole = dag({ name: 'whole', params: how }, ({ params, step }) => {
  const prepared = step(prepare, { how: params.how }, { setup: true });
  const worked = step(work, { how: params.how, rows: prepared.rows });
  const trained = step(train, { how: params.how }, { when: isTrue(worked.passed) });
  step(tidy, {}, { teardownOf: prepared });
  return { loss: trained.loss, passed: worked.passed };
});

const rejecting = dag({ name: 'rejecting', params: how }, ({ params, step }) => {
  const worked = step(work, { how: params.how, rows: 1 });
  return { outcome: 'rejected', passed: worked.passed };
});

const nested = workflowTask({
  name: 'nested',
  version: '1',
  input: how,
  output: z.object({ outcome: z.string() }),
  workflowType: 'whole',
});

const parent = dag({ name: 'parent', params: how }, ({ params, step }) => step(nested, { how: params.how }));

export const scenarioDags: readonly Dag[] = [whole, rejecting, parent];

export interface Scenario {
  /** The file's name, and what the run shows. */
  readonly name: string;
  readonly workflowType: string;
  readonly input: object;
  readonly cancelDuring?: string;
}

export const scenarios: readonly Scenario[] = [
  { name: 'dag-run-succeeded', workflowType: 'whole', input: { how: 'well' } },
  { name: 'dag-run-retried', workflowType: 'whole', input: { how: 'flaky' } },
  { name: 'dag-run-skipped', workflowType: 'whole', input: { how: 'reject' } },
  { name: 'dag-run-own-outcome', workflowType: 'rejecting', input: { how: 'reject' } },
  { name: 'dag-run-failed', workflowType: 'whole', input: { how: 'fail' } },
  { name: 'dag-run-cancelled', workflowType: 'whole', input: { how: 'hang' }, cancelDuring: 'work' },
  { name: 'dag-run-stopped', workflowType: 'whole', input: { how: 'well', stopAfter: 'work' } },
  { name: 'dag-run-dry', workflowType: 'whole', input: { how: 'well', dryRun: true } },
  { name: 'dag-run-refused', workflowType: 'whole', input: { hwo: 'well' } },
  { name: 'dag-run-unknown', workflowType: 'hole', input: {} },
  { name: 'dag-run-task-alone', workflowType: 'work', input: { how: 'well', rows: 1 } },
  { name: 'dag-run-nested', workflowType: 'parent', input: { how: 'well' } },
  { name: 'dag-run-nested-failed', workflowType: 'parent', input: { how: 'fail' } },
];
