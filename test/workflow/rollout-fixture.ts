// What the rollout's tests share: a stage on the Temporal server of the tests, and what must hold there.

import { pino } from 'pino';
import { expect, inject } from 'vitest';
import { installRuntime } from '../../workers/runtime.js';
import { openStageAt, type Stage, type StageOptions } from './rollout-stage.js';
import { endpointOf } from './rollout-story.js';

export * from './rollout-story.js';
export { quick, type Stage } from './rollout-stage.js';

installRuntime(pino({ level: process.env.PAWL_LOG_LEVEL ?? 'fatal' }));

export const openStage = (options: StageOptions = {}): Promise<Stage> =>
  openStageAt(inject('temporal').address, options);

export const kindsOf = async ({ endpoints, model }: Stage): Promise<string[]> => {
  const kinds: string[] = [];
  for await (const { change } of endpoints.history(model)) kinds.push(change.kind);
  return kinds;
};

/** The versions that no run rolls out again by itself. */
export const revokedOf = async (stage: Stage): Promise<number[]> =>
  ((await endpointOf(stage))?.revoked ?? []).map(({ version }) => version);

/** What must hold whenever a rollout has ended: aliases mirror the endpoint, only the champion runs, and all goes to it. */
export async function expectAtRest(stage: Stage): Promise<void> {
  const { registry, model, serving } = stage;
  const state = await endpointOf(stage);
  expect(state?.challenger ?? null).toBeNull();
  for (const alias of ['champion', 'previous', 'challenger'] as const)
    expect([alias, (await registry.alias(model, alias))?.version ?? null]).toEqual([alias, state?.[alias] ?? null]);
  expect(await serving.launched(model)).toEqual(state?.champion == null ? [] : [state.champion]);
  if (state?.champion != null)
    for (const router of serving.memoryRouters) expect(router.shares(model)).toEqual({ champion: 100, challenger: 0 });
}
