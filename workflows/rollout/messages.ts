// The messages that a rollout takes, by name, and those that it sends.

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  AbortRequest,
  BeginAnswer,
  OperatorMessage,
  RolloutRequest,
  RolloutView,
} from '../../activities/rollout/protocol.js';
import type { RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';

export const beginUpdate = defineUpdate<BeginAnswer, [RolloutRequest]>('begin');
/** Goes on to the commit at once: the remaining weights are left out. */
export const promoteUpdate = defineUpdate<string, [OperatorMessage]>('promote');
export const pauseUpdate = defineUpdate<string, [OperatorMessage]>('pause');
export const resumeUpdate = defineUpdate<string, [OperatorMessage]>('resume');
export const abortUpdate = defineUpdate<string, [OperatorMessage]>('abort');
/** The requester's own: `known` is false where the operation is not (or no longer) conducted here. */
export const withdrawUpdate = defineUpdate<{ known: boolean }, [AbortRequest]>('withdraw');
export const stateQuery = defineQuery<RolloutView>('state');

/** To the requester. */
export const rolloutFinished = defineSignal<[RolloutOutcome]>('rolloutFinished');
