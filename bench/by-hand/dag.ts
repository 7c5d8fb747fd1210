// The seven stages as a DAG of Pawl's.

import { dag } from '../../dag/dag.js';
import { task } from '../../dag/task.js';
import { params, stages } from './tasks.js';

const common = { version: '1', retry: { attempts: 3 }, timeout: '1m' } as const;

const prepare = task({ name: 'prepare', ...common, ...stages.prepare });
const train = task({ name: 'train', ...common, ...stages.train });
const evaluate = task({ name: 'evaluate', ...common, ...stages.evaluate });
const judge = task({ name: 'judge', ...common, ...stages.judge });
const enrol = task({ name: 'enrol', ...common, ...stages.enrol });
const deploy = task({ name: 'deploy', ...common, ...stages.deploy });
const announce = task({ name: 'announce', ...common, ...stages.announce });

export const sevenSteps = dag({ name: 'seven-steps', params }, ({ params: given, step }) => {
  const dataset = step(prepare, { source: given.source });
  const artifact = step(train, { dataset, epochs: given.epochs });
  const metrics = step(evaluate, { artifact, dataset });
  const verdict = step(judge, { metrics });
  const version = step(enrol, { model: given.model, artifact, verdict });
  const rollout = step(deploy, { version });
  return step(announce, { rollout });
});
