// What one rollout leaves to the next: chores, a version that is wanted again, a long history, a trial that nobody conducts.

import { nameChallenger } from '../../../systems/endpoint/transitions.js';
import { quick, type Stage } from '../../workflow/rollout-stage.js';
import { healthy, request, rolloutOf, tell, until, view } from '../../workflow/rollout-story.js';
import { ends, presentRun, story, type Scenario } from '../scenario.js';
import { onTrial } from './on-trial.js';
import { afterWrite, breakAliases, breakRouters, moveByHand } from './trouble.js';

const one = quick({ weights: [100] });

/** Once the next promotion is written no router answers, and no alias is set. */
function breakChores(stage: Stage): () => void {
  const mending = [afterWrite(stage, 'promote', () => void mending.push(breakRouters(stage), breakAliases(stage)))];
  return () => mending.forEach((mend) => mend());
}

export const successors: readonly Scenario[] = [
  story({
    names: ['rollout-takes-chores-over'],
    async tell(stage) {
      healthy(stage, 2);
      const mend = breakAliases(stage);
      const first = await request(stage, { version: 2, rollout: one });
      await until(stage, ({ operation }) => operation?.phase === 'finishing');
      const second = await request(stage, { version: 2 });
      await ends(first, 'promoted', 'Still to do: aliases');
      mend();
      await ends(second, 'unchanged', 'Version 2 is the champion already.');
      return { 'rollout-takes-chores-over': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-keeps-a-version'],
    async tell(stage) {
      healthy(stage, 2);
      const mend = breakChores(stage);
      const first = await request(stage, { version: 2, rollout: one });
      await until(stage, ({ chores }) => chores.includes('retire version 1'));
      const second = await request(stage, { reason: 'users complain' });
      await ends(first, 'promoted', 'Still to do: routers, aliases');
      await until(stage, ({ operation }) => operation?.kind === 'rollback' && operation.phase === 'finishing');
      mend();
      await ends(second, 'rolled-back', 'Version 1 is the champion again.');
      return { 'rollout-keeps-a-version': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-continues-as-new', 'rollout-continued'],
    async tell(stage) {
      for (const version of [2, 3]) healthy(stage, version);
      const mend = breakChores(stage);
      const first = await request(stage, { version: 2, rollout: one });
      await until(stage, ({ chores }) => chores.includes('retire version 1'));
      const run = await presentRun(stage);
      // Temporal suggests it at 4 MB of history; these messages are accepted and mean nothing.
      const nothing = { operationId: 'nothing', model: stage.model, by: 'ada', reason: 'x'.repeat(1_400_000) };
      for (let message = 0; message < 3; message += 1) await run.executeUpdate('withdraw', { args: [nothing] });
      const second = await request(stage, { version: 3, rollout: one });
      await ends(first, 'promoted', 'Still to do: routers, aliases');
      await until(stage, ({ operation }) => operation?.version === 3);
      mend();
      await ends(second, 'promoted');
      return { 'rollout-continues-as-new': run, 'rollout-continued': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-promoted-in-doubt'],
    async tell(stage) {
      healthy(stage, 2);
      afterWrite(stage, 'promote', () => {
        throw new Error('a defect');
      });
      const asked = await request(stage, { version: 2, rollout: one });
      await ends(asked, 'promoted', 'before it could be stopped');
      return { 'rollout-promoted-in-doubt': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-late-write'],
    async tell(stage) {
      const asked = await onTrial(stage);
      const trial = (await view(stage)).operation?.operationId ?? '';
      const mend = breakRouters(stage);
      await tell(stage, 'abort', 2);
      await until(stage, ({ operation }) => operation?.phase === 'finishing');
      await moveByHand(stage, (state, act) => nameChallenger(state, act, { version: 2, trial }));
      mend();
      await ends(asked, 'rolled-back', 'Aborted by grace: a test.');
      return { 'rollout-late-write': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-clears-a-trial', 'request-rollout-replaced'],
    async tell(stage) {
      const left = await onTrial(stage);
      await rolloutOf(stage).terminate('an operator');
      const asked = await onTrial(stage, 3);
      await ends(left, 'rolled-back', 'another rollout has taken its place');
      await tell(stage, 'abort', 3);
      await ends(asked, 'rolled-back');
      return { 'rollout-clears-a-trial': rolloutOf(stage), 'request-rollout-replaced': left };
    },
  }),
  story({
    names: ['rollout-rollback-of-a-trial-left-alone'],
    async tell(stage) {
      const left = await onTrial(stage);
      await left.terminate('an operator');
      await rolloutOf(stage).terminate('an operator');
      const asked = await request(stage, { reason: 'users complain', toVersion: 1 });
      await ends(asked, 'rolled-back', 'The trial was aborted; the champion stays.');
      return { 'rollout-rollback-of-a-trial-left-alone': rolloutOf(stage) };
    },
  }),
];
