// Rollouts that wait for something to happen to them.

import { quick, type Stage } from '../../workflow/rollout-stage.js';
import { request, until, type Asked } from '../../workflow/rollout-story.js';

/** Its first weight lasts until the scenario is over. */
export const slow = quick({ pauseMs: 60_000, leaseMs: 3_000, deadlineMs: 60_000 });

/** A version that has its first weight, at the routers too. */
export async function onTrial(stage: Stage, version = 2, rollout = slow, runId?: string): Promise<Asked> {
  const asked = await request(stage, { version, rollout }, runId);
  const has = (percent: number) =>
    stage.serving.memoryRouters.every((router) => router.shares(stage.model).challenger === percent);
  await until(stage, ({ operation }) => operation?.version === version && has(rollout.weights[0] ?? 0));
  return asked;
}

/** A version that does not come up until the scenario says so. */
export async function launching(stage: Stage, input: Record<string, unknown>, version: number): Promise<Asked> {
  stage.serving.behave(stage.model, version, { comesUp: 'never' });
  const asked = await request(stage, { rollout: slow, ...input });
  await until(stage, ({ operation }) => operation?.note === `waiting until version ${version} is ready`);
  return asked;
}
