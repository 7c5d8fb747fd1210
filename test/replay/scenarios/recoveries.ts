// Rollouts whose workflow or endpoint is gone: what the run that asked finds out, and puts in order.

import { endpointKey } from '../../../systems/object-store/keys.js';
import { quick, type Stage } from '../../workflow/rollout-stage.js';
import { healthy, request, rolloutOf, tell, until } from '../../workflow/rollout-story.js';
import { ends, fails, presentRun, promoted, story, type Scenario } from '../scenario.js';
import { launching, onTrial } from './on-trial.js';
import { breakAliases } from './trouble.js';

const brief = quick({ leaseMs: 1_500 });

const loseEndpoint = ({ model, systems }: Stage): Promise<void> =>
  systems.objects.delete(endpointKey(systems.environment, model));

export const recoveries: readonly Scenario[] = [
  story({
    names: ['rollout-terminated', 'rollout-recovers', 'request-rollout-recovers'],
    async tell(stage) {
      const asked = await onTrial(stage);
      const terminated = await presentRun(stage);
      await terminated.terminate('an operator');
      await ends(asked, 'rolled-back', 'left alone');
      return {
        'rollout-terminated': terminated,
        'rollout-recovers': rolloutOf(stage),
        'request-rollout-recovers': asked,
      };
    },
  }),
  story({
    names: ['rollout-recovers-after-its-commit'],
    async tell(stage) {
      healthy(stage, 2);
      const mend = breakAliases(stage);
      const asked = await request(stage, { version: 2, rollout: { ...brief, weights: [100] } });
      await until(stage, ({ operation }) => operation?.phase === 'finishing');
      await rolloutOf(stage).terminate('an operator');
      mend();
      await ends(asked, 'promoted', 'was promoted before');
      return { 'rollout-recovers-after-its-commit': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-recovers-before-its-trial'],
    async tell(stage) {
      const asked = await launching(stage, { version: 2, rollout: brief }, 2);
      await rolloutOf(stage).terminate('an operator');
      await ends(asked, 'rolled-back', 'ended from outside before it was decided');
      return { 'rollout-recovers-before-its-trial': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-recovers'],
    async tell(stage) {
      await promoted(stage, 2);
      const asked = await launching(stage, { reason: 'users complain', rollout: brief }, 1);
      await rolloutOf(stage).terminate('an operator');
      await fails(asked, 'The rollback was ended from outside');
      return { 'rollout-rollback-recovers': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-recovers-after-its-commit'],
    async tell(stage) {
      await promoted(stage, 2);
      const mend = breakAliases(stage);
      const asked = await request(stage, { reason: 'users complain', rollout: brief });
      await until(stage, ({ operation }) => operation?.phase === 'finishing');
      await rolloutOf(stage).terminate('an operator');
      mend();
      await ends(asked, 'rolled-back', 'It was rolled back before.');
      return { 'rollout-rollback-recovers-after-its-commit': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-endpoint-lost'],
    async tell(stage) {
      const asked = await onTrial(stage);
      await loseEndpoint(stage);
      await ends(asked, 'rolled-back', 'run pawl reconcile support-bot');
      // Its retirement waits for somebody to mend the endpoint.
      await rolloutOf(stage).terminate('the end of the scenario');
      return { 'rollout-endpoint-lost': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-endpoint-lost'],
    async tell(stage) {
      await promoted(stage, 2);
      const asked = await launching(stage, { reason: 'users complain' }, 1);
      await loseEndpoint(stage);
      await tell(stage, 'abort', 1);
      await fails(asked, 'The endpoint object is lost or cannot be read.');
      return { 'rollout-rollback-endpoint-lost': rolloutOf(stage) };
    },
  }),
];
