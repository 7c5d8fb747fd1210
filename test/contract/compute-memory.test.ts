import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryCompute } from '../../systems/compute/memory.js';
import type { MemoryProgram } from '../../systems/compute/memory.js';
import { computeContract } from './compute.suite.js';

/** test/programs/behave.py, as far as a function can do the same. */
const behave: MemoryProgram = async (job) => {
  const {
    command: [, , verb, word],
    signal,
  } = job;
  if (verb === 'exit') return Number(word);
  if (verb === 'print') job.write(`${word}to standard error\n`);
  if (verb === 'wait' || verb === 'stubborn') {
    job.write('waiting\n');
    await sleep(60_000, undefined, verb === 'wait' ? { signal, ref: false } : { ref: false });
  }
  return 0;
};

computeContract({
  name: 'memory',
  withoutProcesses: 'its jobs are functions',
  async open() {
    const hosts = { memory: { gpus: 2, memoryBytes: 4 * 2 ** 30 } };
    const compute = new MemoryCompute({ name: 'memory', hosts, programs: { '{python}': behave } });
    return {
      compute,
      reopen: () => compute,
      restartHost: async () => compute.restart('memory'),
      loseHost: async () => compute.setAway('memory', true),
      findHost: async () => compute.setAway('memory', false),
      close: async () => {},
    };
  },
});
