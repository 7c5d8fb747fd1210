// Tries one effect until it succeeds, whatever it fails with: for what must not be left half done.

import { CancellationScope, log, proxyActivities, sleep } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { RolloutActivities } from '../../activities/rollout/protocol.js';
import { failureReason, failureType } from './failure-reason.js';

const firstPauseMs = 1_000;
const maxPauseMs = 5 * 60_000;

/** Not cancellable. Throws only `Corrupt`, which no trying again mends; `onTrouble` is told why it is still being tried. */
export function insist<T>(
  summary: string,
  effect: (calls: ActivityInterfaceFor<RolloutActivities>) => Promise<T>,
  onTrouble: (trouble: string) => void,
): Promise<T> {
  const calls = proxyActivities<RolloutActivities>({
    startToCloseTimeout: '2 minutes',
    retry: { initialInterval: '250 milliseconds', maximumInterval: '5 seconds' },
    summary,
  });
  return CancellationScope.nonCancellable(async () => {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      try {
        return await effect(calls);
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
