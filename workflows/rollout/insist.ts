// Tries one effect until it succeeds, whatever it fails with: for what must not be left half done.

import { CancellationScope, log, sleep } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { RolloutActivities } from '../../activities/rollout/protocol.js';
import { effects } from './activities.js';
import { failureReason, failureType } from './failure-reason.js';

const firstPauseMs = 1_000;
const maxPauseMs = 5 * 60_000;

/** Not cancellable. Throws only `Corrupt`, which no trying again mends; `onTrouble` is told why it is still being tried. */
export function insist<T>(
  summary: string,
  effect: (calls: ActivityInterfaceFor<RolloutActivities>) => Promise<T>,
  onTrouble: (trouble: string) => void,
): Promise<T> {
  return CancellationScope.nonCancellable(async () => {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      try {
        return await effect(effects(summary));
      } catch (error) {
        if (failureType(error) === 'Corrupt') throw error;
        const trouble = failureReason(error);
        log.error(`${summary}: ${trouble}`);
        onTrouble(trouble);
        await sleep(pauseMs, { summary: `until ${summary} is tried again` });
      }
    }
  });
}
