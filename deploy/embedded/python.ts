// Makes the Python that training jobs and model servers run on: a virtual environment of its own in Pawl's cache, from the
// pinned requirements, with the CPU build of torch on a machine without an NVIDIA GPU wherever one can be had.

import { createHash } from 'node:crypto';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetch } from 'undici';
import { SystemError } from '../../dag/failures.js';
import { cacheFolder } from './cache-folder.js';
import { findPython } from './find-python.js';
import { onceUnderLock } from './once-in-cache.js';
import { packageFile } from './package-file.js';
import { isExecutable, programsOnPath } from './path-search.js';
import { withProgress, type Describe, type OnProgress } from './progress.js';
import { runTool, ToolFailed } from './run-tool.js';

const cpuWheels = 'https://download.pytorch.org/whl/cpu';
const indexTimeoutMs = 5_000;

export interface PythonOptions {
  /** Takes plain lines about what takes long; by default they are shown on standard error. */
  readonly onProgress?: OnProgress | undefined;
  /** `process.env` by default. `PAWL_PYTHON` in it is taken as it is. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** Pawl's own `jobs/requirements.txt` by default. */
  readonly requirementsFile?: string;
}

/** Returns the Python to run jobs with, once everything that they need is installed; throws Unavailable with what to do. */
export const ensurePython = async (options: PythonOptions = {}): Promise<{ readonly python: string }> => {
  const { onProgress, environment = process.env } = options;
  const requirementsFile = options.requirementsFile ?? packageFile('jobs/requirements.txt');
  const given = environment.PAWL_PYTHON;
  if (given !== undefined && given !== '') {
    if (await isExecutable(given)) return { python: given };
    throw new SystemError(
      'Unavailable',
      `PAWL_PYTHON names ${given}, which is no program: set it to a Python's full path`,
    );
  }
  const requirements = await readFile(requirementsFile, 'utf8');
  const digest = createHash('sha256').update(requirements).digest('hex').slice(0, 16);
  const folder = join(cacheFolder(environment), `python-${digest}`);
  const python = join(folder, 'bin', 'python');
  // A virtual environment holds its own path and cannot be renamed into place, so a file that is written last tells that it is whole.
  const marker = join(folder, 'COMPLETE');
  const isComplete = async (): Promise<boolean> => (await exists(marker)) && isExecutable(python);
  await onceUnderLock({ folder, title: "Python's packages for jobs", isComplete, onProgress }, async () => {
    const base = await findPython(environment);
    const title = "installing Python's packages for jobs (once)";
    const torch = /^torch==\S+/m.exec(requirements)?.[0];
    try {
      await withProgress(
        title,
        async (describe) => {
          await rm(marker, { force: true });
          const install = { python, environment, describe };
          await runTool({ command: base, args: ['-m', 'venv', '--clear', folder], env: environment, onLine: describe });
          if (torch !== undefined && !(await hasNvidiaGpu(environment))) await preferCpuTorch(torch, install);
          await pipInstall(['-r', requirementsFile], install);
          await writeFile(marker, '');
        },
        { onProgress },
      );
    } catch (error) {
      if (!(error instanceof ToolFailed)) throw error;
      throw new SystemError(
        'Unavailable',
        `Python's packages for jobs could not be installed (${error.message}): make a package index reachable to pip, ` +
          'or set PAWL_PYTHON to the Python of an environment that has torch and transformers',
        { cause: error },
      );
    }
  });
  return { python };
};

interface Install {
  readonly python: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly describe: Describe;
}

const pipInstall = (args: readonly string[], { python, environment, describe }: Install): Promise<void> =>
  runTool({
    command: python,
    args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--progress-bar', 'off', ...args],
    env: environment,
    onLine: (line) => describe(line.trim()),
  });

/**
 * Installs the CPU build if pip's own sources or PyTorch's index have it. Otherwise the pinned requirements bring the index's
 * default build, which works without a GPU too but weighs 5 GB on Linux.
 */
const preferCpuTorch = async (torch: string, install: Install): Promise<void> => {
  // Only Linux has builds for CUDA under the plain name.
  if (process.platform !== 'linux') return;
  const fromCpuIndex = (await isReachable(cpuWheels)) ? ['--extra-index-url', cpuWheels] : [];
  try {
    await pipInstall([`${torch}+cpu`, ...fromCpuIndex], install);
  } catch (error) {
    if (!(error instanceof ToolFailed)) throw error;
    install.describe('no CPU build of torch was found, taking the default one (5 GB)');
  }
};

const isReachable = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(`${url}/torch/`, { method: 'HEAD', signal: AbortSignal.timeout(indexTimeoutMs) });
    return response.ok;
  } catch {
    return false;
  }
};

const hasNvidiaGpu = async (environment: NodeJS.ProcessEnv): Promise<boolean> =>
  (await exists('/proc/driver/nvidia/version')) || (await programsOnPath('nvidia-smi', environment)).length > 0;

const exists = async (path: string): Promise<boolean> => {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
};
