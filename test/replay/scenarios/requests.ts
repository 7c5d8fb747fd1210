// Requests for a rollout that a run makes, by what becomes of them before a rollout, beside it, and around it.

import { request, tell } from '../../workflow/rollout-story.js';
import { ends, fails, promoted, story, type Scenario } from '../scenario.js';
import { onTrial } from './on-trial.js';

export const requests: readonly Scenario[] = [
  story({
    names: ['request-rollout-dry'],
    async tell(stage) {
      const asked = await request(stage, { version: 2, dryRun: true });
      await ends(asked, 'stopped', 'would get 10, 100 % of the traffic');
      return { 'request-rollout-dry': asked };
    },
  }),
  story({
    names: ['request-rollout-invalid'],
    async tell(stage) {
      const asked = await request(stage, { version: 'two' });
      await fails(asked, 'version: ');
      return { 'request-rollout-invalid': asked };
    },
  }),
  story({
    names: ['request-rollout-refused'],
    async tell(stage) {
      const first = await onTrial(stage);
      const asked = await request(stage, { version: 3 });
      await fails(asked, 'is on its way');
      await tell(stage, 'abort', 2);
      await ends(first, 'rolled-back');
      return { 'request-rollout-refused': asked };
    },
  }),
  story({
    names: ['request-rollout-again'],
    async tell(stage) {
      const runId = stage.nextRunId();
      await promoted(stage, 2, runId);
      const again = await request(stage, { version: 2 }, runId);
      await ends(again, 'promoted');
      return { 'request-rollout-again': again };
    },
  }),
];
