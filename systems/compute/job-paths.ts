// Paths within a job's folder: relative, and never out of it.

import { SystemError } from '../../dag/failures.js';

/** Answers the path itself; throws `InvalidInput` for one that is absolute, or could lead out of the folder. */
export function checkFilePath(path: string): string {
  const bad = path.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (bad || path.includes('\0') || path.includes('\\'))
    throw new SystemError(
      'InvalidInput',
      `${JSON.stringify(path.slice(0, 200))} is no path within a job's folder: write a relative one without '..'.`,
    );
  return path;
}
