// What the doctor says of hosts for jobs.

import { expect, test } from 'vitest';
import { checkComputes } from '../../../cli/doctor/check-machines.js';
import type { Session } from '../../../cli/session.js';
import type { Places } from '../../../systems/compute/port.js';

const gib = 2 ** 30;

async function told(free: Places, declared: Places): Promise<string | undefined> {
  const capacity = async () => [{ host: 'h', declared, free, reachable: true }];
  const compute = { names: ['gpu'], get: () => ({ capacity }) };
  const [finding] = await checkComputes({ systems: async () => ({ compute }) } as unknown as Session);
  return finding?.explanation;
}

test('a host is told with what it has free, and where it has no GPU only that', async () => {
  const declared = { gpus: 8, memoryBytes: 64 * gib };
  expect(await told({ gpus: 1, memoryBytes: 8 * gib }, declared)).toBe(
    'host h has 1 GPU and 8 GiB free of 8 GPUs and 64 GiB',
  );
  expect(await told({ gpus: 0, memoryBytes: 8 * gib }, declared)).toBe(
    'host h has no GPU and 8 GiB free of 8 GPUs and 64 GiB',
  );
  expect(await told({ gpus: 0, memoryBytes: 8 * gib }, { gpus: 0, memoryBytes: 23.5 * gib })).toBe(
    'host h has 8 GiB free of 23.5 GiB, and no GPU',
  );
});
