import { expect, test } from 'vitest';
import { SystemError } from '../../dag/failures.js';
import { renewEverywhere } from '../../activities/rollout/routers.js';
import type { LeaseAnswer, Serving } from '../../systems/serving/port.js';

const trial = { model: 'bot', trial: 'trial', generation: 3, leaseMs: 1_000 };

/** Routers that answer a renewal so; `away` does not answer. */
const renewing = (...answers: readonly (LeaseAnswer | 'away')[]) => {
  const routers = answers.map((answer, index) => ({
    id: `router-${index}`,
    renewLease: async () => {
      if (answer === 'away') throw new SystemError('Unavailable', 'It does not answer.');
      return answer;
    },
  }));
  return renewEverywhere({ name: 'test', routers: async () => routers } as unknown as Serving, trial);
};
const held: LeaseAnswer = { lease: 'held', remainingMs: 1_000 };
const expired: LeaseAnswer = { lease: 'expired' };
const later: LeaseAnswer = { lease: 'other-generation', generation: 4 };
const earlier: LeaseAnswer = { lease: 'other-generation', generation: 2 };

test('a router that lost the lease is heard above one that is away', async () => {
  expect(await renewing('away', expired, held)).toEqual({ kind: 'lease-expired', router: 'router-1' });
  expect(await renewing(earlier, expired)).toEqual({ kind: 'lease-expired', router: 'router-1' });
});

test('a router that follows a later generation is heard above all others', async () => {
  expect(await renewing('away', expired, later)).toMatchObject({ kind: 'foreign' });
});

test('a lease is held only where every router says so', async () => {
  expect(await renewing(held, held)).toEqual({ kind: 'held' });
  await expect(renewing(held, 'away')).rejects.toMatchObject({ type: 'Unavailable' });
  await expect(renewing(held, earlier)).rejects.toMatchObject({ type: 'Unavailable' });
});
