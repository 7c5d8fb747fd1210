// The machine that a run of the benches was on: without it a figure says little.

import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
}

export const describeMachine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  system: `${platform()} ${release()}`,
  node: process.version,
});

/** How many processes wanted a core over the last minute: above the number of cores, the figures are of a busy machine. */
export const loadOfLastMinute = (): number => loadavg()[0] ?? 0;
