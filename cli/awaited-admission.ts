// What a run waits for that no worker has admitted yet: a worker that knows its DAG, mostly. Pure.

import type { WorkflowExecutionDescription } from '@temporalio/client';
import { whenTold } from './format.js';

/** The activity by which a run asks whichever worker knows. */
const admission = 'admit';

interface Timestamp {
  readonly seconds?: { toString(): string } | null;
}

/** One sentence; `undefined` for a run that is admitted, or about which no worker has answered. */
export function awaitedAdmission({ raw }: Pick<WorkflowExecutionDescription, 'raw'>, now: Date): string | undefined {
  const asked = raw.pendingActivities?.find(({ activityType }) => activityType?.name === admission);
  const reason = asked?.lastFailure?.message ?? '';
  if (asked === undefined || reason === '') return undefined;
  const end = dateOf(asked.expirationTime);
  // A time of day and not what is left of it: a log would have a new line every second.
  const until = end === undefined ? '' : `, and fails at ${whenTold(end, now)} without one`;
  return `waits for a worker that takes it up${until}: ${reason}`;
}

const dateOf = (time: Timestamp | null | undefined): Date | undefined =>
  time?.seconds == null ? undefined : new Date(Number(time.seconds.toString()) * 1_000);
