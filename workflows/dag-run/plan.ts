// What a dry run answers: the steps that would run, in order, with what is known of them beforehand.

import type { Admission } from '../../activities/engine/protocol.js';
import type { Json } from '../../dag/graph.js';
import { describeCondition } from '../../dag/resolve.js';

export function planOf({ graph, params }: Admission): Json {
  return {
    params,
    graphDigest: graph.digest,
    steps: graph.steps.map((step) => ({
      id: step.id,
      task: step.task.name,
      version: step.task.version,
      kind: step.kind,
      after: [...step.upstream],
      ...(step.when === undefined ? {} : { when: describeCondition(step.when) }),
      triggerRule: step.triggerRule,
    })),
  };
}
