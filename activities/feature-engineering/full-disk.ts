// A full disk, as Node and DuckDB tell of it, in a sentence that says what to do.

import { dirname } from 'node:path';
import { SystemError } from '../../dag/failures.js';

const isFullDisk = (error: Error): boolean =>
  (error as NodeJS.ErrnoException).code === 'ENOSPC' || /no space left on device/i.test(error.message);

/** What to throw: `Unavailable`, which is tried again, for a full disk, and any other error as it is. */
export function nameFullDisk(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error instanceof SystemError || !isFullDisk(error)) return error;
  return new SystemError(
    'Unavailable',
    `The worker's disk is full: rows on their way to a data set had no room in ${dirname(folder)}; free some, or start the worker with TMPDIR on a larger disk.`,
    { cause: error },
  );
}
