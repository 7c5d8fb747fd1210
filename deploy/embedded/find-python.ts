// Finds a Python that can make virtual environments.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SystemError } from '../../dag/failures.js';
import { programsOnPath } from './path-search.js';

const run = promisify(execFile);

// Oldest last: `python3` is what its user means by Python, and the numbered ones stand in when that is too old.
const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14', 'python'];
const probe = 'import ensurepip, sys, venv; print(sys.version_info >= (3, 11))';

/** The first Python on PATH that is 3.11 or later and has venv; throws Unavailable with what to install. */
export const findPython = async (environment: NodeJS.ProcessEnv = process.env): Promise<string> => {
  let broken: string | undefined;
  for (const name of candidates) {
    for (const path of await programsOnPath(name, environment)) {
      try {
        const { stdout } = await run(path, ['-c', probe], { env: environment, timeout: 20_000 });
        if (stdout.trim() === 'True') return path;
      } catch (error) {
        if (String(error).includes('ensurepip')) broken = path;
      }
    }
  }
  throw new SystemError(
    'Unavailable',
    broken === undefined
      ? 'no Python 3.11 or later was found on PATH: install one, or set PAWL_PYTHON to the Python of an environment that has torch and transformers'
      : `${broken} cannot make virtual environments: install its venv package (Debian and Ubuntu: apt-get install python3-venv)`,
  );
};
