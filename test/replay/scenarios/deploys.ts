// Deploys that run by themselves: what the version and its traffic decide.

import { championOnly, nameChallenger } from '../../../systems/endpoint/transitions.js';
import { quick } from '../../workflow/rollout-stage.js';
import { healthy, request, rolloutOf } from '../../workflow/rollout-story.js';
import { ends, story, type Scenario } from '../scenario.js';
import { launching, onTrial } from './on-trial.js';
import { moveByHand } from './trouble.js';

export const deploys: readonly Scenario[] = [
  story({
    names: ['rollout-first-version'],
    stage: { champion: false },
    async tell(stage) {
      await ends(await request(stage, { version: 1 }), 'promoted');
      return { 'rollout-first-version': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-first-version-fails'],
    stage: { champion: false },
    async tell(stage) {
      stage.serving.behave(stage.model, 1, { probeErrors: 2 });
      await ends(await request(stage, { version: 1 }), 'rolled-back', '2 of 2 requests failed');
      return { 'rollout-first-version-fails': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-promoted', 'request-rollout-promoted'],
    async tell(stage) {
      healthy(stage, 2);
      const asked = await request(stage, { version: 2 });
      await ends(asked, 'promoted');
      return { 'rollout-promoted': rolloutOf(stage), 'request-rollout-promoted': asked };
    },
  }),
  story({
    names: ['rollout-unchanged', 'request-rollout-unchanged'],
    async tell(stage) {
      const asked = await request(stage, { version: 1 });
      await ends(asked, 'unchanged');
      return { 'rollout-unchanged': rolloutOf(stage), 'request-rollout-unchanged': asked };
    },
  }),
  story({
    names: ['rollout-not-ready'],
    async tell(stage) {
      stage.serving.behave(stage.model, 2, { comesUp: 'fails' });
      await ends(await request(stage, { version: 2 }), 'rolled-back', 'did not come up');
      return { 'rollout-not-ready': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-analysis-fails', 'request-rollout-rolled-back'],
    async tell(stage) {
      stage.metrics.setTraffic(stage.model, 2, { requests: 40, errors: 30 });
      const asked = await request(stage, { version: 2 });
      await ends(asked, 'rolled-back', '30 of 40 requests failed');
      return { 'rollout-analysis-fails': rolloutOf(stage), 'request-rollout-rolled-back': asked };
    },
  }),
  story({
    names: ['rollout-inconclusive'],
    async tell(stage) {
      stage.metrics.setTraffic(stage.model, 2, { requests: 300, errors: 15 });
      const asked = await request(stage, { version: 2, rollout: quick({ inconclusiveLimit: 1 }) });
      await ends(asked, 'rolled-back', 'Still inconclusive after 2 looks');
      return { 'rollout-inconclusive': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-without-traffic'],
    async tell(stage) {
      stage.metrics.setTraffic(stage.model, 2, { requests: 3 });
      const asked = await request(stage, { version: 2, rollout: quick({ deadlineMs: 2_000 }) });
      await ends(asked, 'rolled-back', 'The deadline passed.');
      return { 'rollout-without-traffic': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-deadline-while-launching'],
    async tell(stage) {
      stage.serving.behave(stage.model, 2, { comesUp: 'never' });
      const rollout = quick({ deadlineMs: 500, readyTimeoutMs: 60_000 });
      await ends(await request(stage, { version: 2, rollout }), 'rolled-back', 'The deadline passed: waiting until');
      return { 'rollout-deadline-while-launching': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-challenger-dies'],
    async tell(stage) {
      const asked = await onTrial(stage);
      stage.serving.crash(stage.model, 2);
      await ends(asked, 'rolled-back', 'died');
      return { 'rollout-challenger-dies': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-lease-expires'],
    async tell(stage) {
      const asked = await onTrial(stage);
      for (const router of stage.serving.memoryRouters) {
        router.restart();
        await router.sync(stage.model);
      }
      await ends(asked, 'rolled-back', 'The lease ran out at router memory-0');
      return { 'rollout-lease-expires': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-moved-by-somebody-else'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await moveByHand(stage, championOnly);
      await ends(asked, 'rolled-back', 'Somebody else moved the endpoint');
      return { 'rollout-moved-by-somebody-else': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-moved-while-launching'],
    async tell(stage) {
      const asked = await launching(stage, { version: 2 }, 2);
      await moveByHand(stage, (state, act) => nameChallenger(state, act, { version: 3, trial: 'by hand' }));
      stage.serving.behave(stage.model, 2, { comesUp: 'at once' });
      await ends(asked, 'rolled-back', 'Somebody else moved the endpoint');
      return { 'rollout-moved-while-launching': rolloutOf(stage) };
    },
  }),
];
