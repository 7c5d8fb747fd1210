// Deploys that people step into.

import { setTimeout as sleep } from 'node:timers/promises';
import { rolloutWorkflowId } from '../../../dag/rollout-id.js';
import { quick } from '../../workflow/rollout-stage.js';
import { healthy, request, rolloutOf, tell, until } from '../../workflow/rollout-story.js';
import { ends, story, type Scenario } from '../scenario.js';
import { launching, onTrial, slow } from './on-trial.js';

export const operators: readonly Scenario[] = [
  story({
    names: ['rollout-aborted'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await tell(stage, 'abort', 2);
      await ends(asked, 'rolled-back', 'Aborted by grace: a test.');
      return { 'rollout-aborted': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-aborted-while-launching'],
    async tell(stage) {
      const asked = await launching(stage, { version: 2 }, 2);
      await tell(stage, 'abort', 2);
      await ends(asked, 'rolled-back', 'Aborted by grace: a test.');
      return { 'rollout-aborted-while-launching': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-paused-and-resumed', 'request-rollout-asks-how-it-stands'],
    async tell(stage) {
      const asked = await onTrial(stage, 2, quick({ weights: [20], leaseMs: 1_500 }));
      await tell(stage, 'pause', 2);
      healthy(stage, 2);
      await sleep(2_500);
      await tell(stage, 'resume', 2);
      await ends(asked, 'promoted');
      return { 'rollout-paused-and-resumed': rolloutOf(stage), 'request-rollout-asks-how-it-stands': asked };
    },
  }),
  story({
    names: ['rollout-paused-as-inconclusive'],
    async tell(stage) {
      stage.metrics.setTraffic(stage.model, 2, { requests: 300, errors: 15 });
      const rollout = quick({ weights: [20], inconclusiveLimit: 0, onInconclusive: 'pause' });
      const asked = await request(stage, { version: 2, rollout });
      await until(stage, ({ operation }) => operation?.paused === true);
      healthy(stage, 2);
      await tell(stage, 'resume', 2);
      await ends(asked, 'promoted');
      return { 'rollout-paused-as-inconclusive': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-fails-while-paused'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await tell(stage, 'pause', 2);
      stage.metrics.setTraffic(stage.model, 2, { requests: 50, errors: 40 });
      await ends(asked, 'rolled-back', '40 of 50');
      return { 'rollout-fails-while-paused': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-promoted-by-an-operator'],
    async tell(stage) {
      const asked = await onTrial(stage, 2, { ...slow, weights: [10, 50, 100] });
      await tell(stage, 'promote', 2);
      await ends(asked, 'promoted', 'grace promoted it by hand');
      return { 'rollout-promoted-by-an-operator': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-workflow-cancelled'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await rolloutOf(stage).cancel();
      await ends(asked, 'rolled-back', "The rollout's workflow was cancelled.");
      return { 'rollout-workflow-cancelled': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-requester-cancelled', 'request-rollout-cancelled'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await asked.cancel();
      await ends(asked, 'rolled-back', 'the run that asked for it was cancelled');
      return { 'rollout-requester-cancelled': rolloutOf(stage), 'request-rollout-cancelled': asked };
    },
  }),
  story({
    names: ['rollout-requester-terminated'],
    async tell(stage) {
      healthy(stage, 2);
      const asked = await onTrial(stage, 2, quick({ weights: [20], pauseMs: 1_000 }));
      await asked.terminate('an operator');
      await until(stage, ({ finished }) => finished.at(-1)?.outcome === 'promoted');
      return { 'rollout-requester-terminated': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-without-a-request'],
    async tell({ client, model, systems, taskQueue }) {
      const { environment } = systems;
      const workflowId = rolloutWorkflowId(environment, model);
      const started = await client.workflow.start('rollout', { workflowId, taskQueue, args: [{ environment, model }] });
      return { 'rollout-without-a-request': started };
    },
  }),
];
