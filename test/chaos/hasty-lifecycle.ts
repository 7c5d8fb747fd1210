// The lifecycle as it is shipped, step by step, but with an eye on its workers all the time: a dead one is noticed in two seconds.

import { sealGraph } from '../../dag/digest.js';
import type { Dag } from '../../dag/dag.js';
import { modelLifecycle } from '../../pipelines/model-lifecycle.js';

const { digest: _, ...graph } = modelLifecycle.graph;

export const hastyLifecycle: Dag = {
  ...modelLifecycle,
  name: 'hasty-lifecycle',
  graph: sealGraph({
    ...graph,
    name: 'hasty-lifecycle',
    steps: graph.steps.map((step) => ({
      ...step,
      heartbeatMs: 2_000,
      retry: { ...step.retry, firstDelayMs: 200, maxDelayMs: 1_000 },
    })),
  }),
};
