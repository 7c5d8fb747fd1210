// A worker's own connection to Temporal.

import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { TemporalSettings } from '../client/connect.js';
import { refusalOf } from '../client/temporal-error.js';
import { SystemError } from '../dag/failures.js';

/** A server that is started together with its worker is waited for so long. */
export const startPatienceMs = 10_000;

/** Tries for `patienceMs`. Throws `Unavailable`, and `PermissionDenied` at once. */
export async function connectWorker(
  { address, connection }: TemporalSettings,
  patienceMs = 0,
): Promise<NativeConnection> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await NativeConnection.connect({ address, ...connection });
    } catch (cause) {
      const refusal = refusalOf(cause);
      if (refusal !== undefined) throw refusal;
      if (performance.now() - startedMs >= patienceMs)
        throw new SystemError(
          'Unavailable',
          `No Temporal server answers at ${address}: is it running, and is TEMPORAL_ADDRESS right?`,
          { cause },
        );
      await sleep(200);
    }
  }
}
