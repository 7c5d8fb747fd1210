// The DAGs whose runs are recorded: together they have every kind of step.

import { z } from 'zod';
import { isTrue } from '../../../dag/condition.js';
import { dag, type Dag } from '../../../dag/dag.js';
import { SystemError } from '../../../dag/failures.js';
import { jobTask, task, workflowTask } from '../../../dag/task.js';

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

export const recordedDags: readonly Dag[] = [whole, rejecting, parent];
