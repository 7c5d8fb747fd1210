// The words to tell what happens to a rollout on its stage.

import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { WorkflowStepEnvelope } from '../../activities/engine/protocol.js';
import type { RolloutView } from '../../activities/rollout/protocol.js';
import { rolloutWorkflowId } from '../../dag/rollout-id.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { stepKey } from '../../dag/step-key.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { quick, type Stage } from './rollout-stage.js';

const untilWithinMs = 20_000;

export const rolloutId = ({ systems, model }: Stage): string => rolloutWorkflowId(systems.environment, model);

/** The endpoint's rollout: its latest run. */
export const rolloutOf = (stage: Stage): WorkflowHandle => stage.client.workflow.getHandle(rolloutId(stage));

/** Asks for a rollout as a run's step does; the same run asks the same thing again under the same id. */
export function request(stage: Stage, input: Record<string, unknown>, runId: string = stage.nextRunId()) {
  const id = 'version' in input ? 'canary-deploy' : 'rollback';
  const key = stepKey(runId, id);
  const envelope = {
    input: { model: stage.model, rollout: quick(), ...input },
    run: {
      dag: 'model-lifecycle',
      environment: stage.systems.environment,
      workflowId: `run-${runId}`,
      runId,
      logicalDate: '2026-01-01T00:00:00.000Z',
      trigger: 'manual',
      by: 'ada',
    },
    step: { id, key },
  } as unknown as WorkflowStepEnvelope;
  return stage.client.workflow.start('requestRollout', {
    workflowId: `request-${key}`,
    taskQueue: stage.taskQueue,
    args: [envelope],
  });
}

export type Asked = Awaited<ReturnType<typeof request>>;
export const outcomeOf = async (asked: Asked): Promise<RolloutOutcome> => (await asked.result()) as RolloutOutcome;

export const endpointOf = async ({ endpoints, model }: Stage): Promise<EndpointState | undefined> =>
  (await endpoints.read(model))?.state;

export const view = (stage: Stage): Promise<RolloutView> => rolloutOf(stage).query<RolloutView>('state');

/** Waits until the rollout's view says so. */
export async function until(stage: Stage, says: (view: RolloutView) => boolean): Promise<void> {
  const deadlineMs = performance.now() + untilWithinMs;
  for (;;) {
    const seen = await view(stage).catch(() => undefined);
    if (seen !== undefined && says(seen)) return;
    if (performance.now() > deadlineMs)
      throw new Error(`The rollout did not come that far within ${untilWithinMs} ms: ${JSON.stringify(seen)}`);
    await sleep(30);
  }
}

/** An operator's message. */
export const tell = (stage: Stage, word: string, version: number): Promise<string> =>
  rolloutOf(stage).executeUpdate<string, [unknown]>(word, { args: [{ version, by: 'grace', reason: 'a test' }] });

export const healthy = (stage: Stage, version: number): void =>
  stage.metrics.setTraffic(stage.model, version, { requests: 1_000, errors: 1 });
