// How a step's status reads in a sentence. Pure, and imported by workflow code.

import type { StepStatus } from './graph.js';

const endings = {
  waiting: 'still waits',
  running: 'still runs',
  success: 'succeeded',
  failed: 'failed',
  upstream_failed: 'did not run, because a step before it failed',
  skipped: 'was skipped',
  cancelled: 'was cancelled',
} as const satisfies Record<StepStatus, string>;

/** What became of a step, to stand after its name: `was skipped`. */
export const statusText = (status: StepStatus): string => endings[status];
