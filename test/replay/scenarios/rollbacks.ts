// Rollbacks: to an earlier version, of a trial, as a teardown, and those that cannot be done.

import { healthy, request, rolloutOf, tell, until } from '../../workflow/rollout-story.js';
import { ends, fails, hasClosed, promoted, story, type Scenario } from '../scenario.js';
import { launching, onTrial } from './on-trial.js';
import { afterWrite, breakWrites } from './trouble.js';

const reason = 'users complain';

export const rollbacks: readonly Scenario[] = [
  story({
    names: ['rollout-rollback', 'request-rollout-rollback'],
    async tell(stage) {
      await promoted(stage, 2);
      const asked = await request(stage, { reason });
      await ends(asked, 'rolled-back', 'Version 1 is the champion again.');
      return { 'rollout-rollback': rolloutOf(stage), 'request-rollout-rollback': asked };
    },
  }),
  story({
    names: ['rollout-of-a-revoked-version', 'request-rollout-revoked'],
    async tell(stage) {
      await promoted(stage, 2);
      await ends(await request(stage, { reason }), 'rolled-back');
      await hasClosed(rolloutOf(stage));
      const asked = await request(stage, { version: 2 });
      await ends(asked, 'unchanged', 'is not rolled out again by itself');
      return { 'rollout-of-a-revoked-version': rolloutOf(stage), 'request-rollout-revoked': asked };
    },
  }),
  story({
    names: ['rollout-rollback-unchanged'],
    async tell(stage) {
      await ends(await request(stage, { reason, toVersion: 1 }), 'unchanged');
      return { 'rollout-rollback-unchanged': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-fails', 'request-rollout-fails'],
    async tell(stage) {
      await promoted(stage, 2);
      stage.serving.behave(stage.model, 1, { comesUp: 'fails' });
      const asked = await request(stage, { reason });
      await fails(asked, 'Version 2 stays the champion.');
      return { 'rollout-rollback-fails': rolloutOf(stage), 'request-rollout-fails': asked };
    },
  }),
  story({
    names: ['rollout-rollback-to-nothing'],
    async tell(stage) {
      await fails(await request(stage, { reason }), 'has no previous version');
      return { 'rollout-rollback-to-nothing': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-aborted'],
    async tell(stage) {
      await promoted(stage, 2);
      const asked = await launching(stage, { reason }, 1);
      await tell(stage, 'abort', 1);
      await fails(asked, 'Aborted by grace: a test.');
      return { 'rollout-rollback-aborted': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-in-doubt'],
    async tell(stage) {
      await promoted(stage, 2);
      afterWrite(stage, 'rollback', () => {
        throw new Error('a defect');
      });
      await ends(await request(stage, { reason }), 'rolled-back', 'before it could be stopped');
      return { 'rollout-rollback-in-doubt': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-of-a-trial'],
    async tell(stage) {
      const deploy = await onTrial(stage);
      await ends(await request(stage, { reason }), 'rolled-back', 'The trial was aborted; version 1 stays');
      await ends(deploy, 'rolled-back', 'Rolled back by ada: users complain.');
      return { 'rollout-rollback-of-a-trial': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-past-a-trial'],
    async tell(stage) {
      await promoted(stage, 2);
      healthy(stage, 3);
      const deploy = await onTrial(stage, 3);
      await ends(await request(stage, { reason, toVersion: 1 }), 'rolled-back', 'Version 1 is the champion again.');
      await ends(deploy, 'rolled-back');
      return { 'rollout-rollback-past-a-trial': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-rollback-withdrawn', 'request-rollout-rollback-cancelled'],
    async tell(stage) {
      const deploy = await onTrial(stage);
      const mend = breakWrites(stage);
      const asked = await request(stage, { reason });
      await until(stage, ({ waiting, operation }) => waiting !== null && operation?.phase === 'aborting');
      await asked.cancel();
      await until(stage, ({ operation }) => operation?.note.includes('tries on') === true);
      mend();
      await ends(deploy, 'rolled-back', 'Rolled back by ada');
      await fails(asked, 'Withdrawn by ada');
      return { 'rollout-rollback-withdrawn': rolloutOf(stage), 'request-rollout-rollback-cancelled': asked };
    },
  }),
  story({
    names: ['rollout-teardown'],
    async tell(stage) {
      const runId = stage.nextRunId();
      const deploy = await onTrial(stage, 2, undefined, runId);
      await ends(await request(stage, { reason, ofStep: 'canary-deploy' }, runId), 'rolled-back', 'was aborted');
      await ends(deploy, 'rolled-back');
      return { 'rollout-teardown': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-teardown-of-another'],
    async tell(stage) {
      const deploy = await onTrial(stage);
      await ends(await request(stage, { reason, ofStep: 'canary-deploy' }), 'unchanged', 'another one is');
      await tell(stage, 'abort', 2);
      await ends(deploy, 'rolled-back');
      return { 'rollout-teardown-of-another': rolloutOf(stage) };
    },
  }),
  story({
    names: ['rollout-teardown-too-late'],
    async tell(stage) {
      const runId = stage.nextRunId();
      await promoted(stage, 2, runId);
      await ends(await request(stage, { reason, ofStep: 'canary-deploy' }, runId), 'unchanged', 'nothing to do');
      return { 'rollout-teardown-too-late': rolloutOf(stage) };
    },
  }),
];
