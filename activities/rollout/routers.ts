// Speaks to every router: which generation it follows, and the lease.

import { SystemError } from '../../dag/failures.js';
import type { LeaseAnswer, Router, Serving } from '../../systems/serving/port.js';
import type { AcknowledgeAnswer, Foreign, LeaseLost, TrialRef } from './protocol.js';

/** Brings every router to a generation or a later one. Idempotent; throws `Unavailable` while one is behind or away. */
export async function syncRouters(serving: Serving, request: { model: string; generation: number }): Promise<void> {
  const { model, generation } = request;
  const routers = await serving.routers();
  await Promise.all(
    routers.map(async (router) => {
      const at = await router.sync(model);
      if (at.generation < generation) throw isBehind(router, at.generation, generation);
    }),
  );
}

/** Every router follows exactly this generation and holds the lease. Throws `Unavailable` while one is behind or away. */
export async function acknowledgeTrial(serving: Serving, trial: TrialRef): Promise<AcknowledgeAnswer> {
  const routers = await someRouters(serving);
  return worst(
    routers.map(async (router): Promise<AcknowledgeAnswer> => {
      const { generation } = await router.sync(trial.model);
      if (generation > trial.generation) return foreignGeneration(router, generation, trial);
      if (generation < trial.generation) throw isBehind(router, generation, trial.generation);
      return asAnswer(router, await renew(router, trial), trial);
    }),
  );
}

/** Renews the lease at every router. Throws `Unavailable` where one does not answer and no other one has lost it. */
export async function renewEverywhere(serving: Serving, trial: TrialRef): Promise<AcknowledgeAnswer> {
  const routers = await someRouters(serving);
  return worst(routers.map(async (router) => asAnswer(router, await renew(router, trial), trial)));
}

export const renew = (router: Router, { model, generation, trial, leaseMs }: TrialRef): Promise<LeaseAnswer> =>
  router.renewLease(model, { generation, trial, leaseMs });

export function asAnswer(router: Router, answer: LeaseAnswer, trial: TrialRef): AcknowledgeAnswer {
  switch (answer.lease) {
    case 'held':
      return { kind: 'held' };
    case 'expired':
      return { kind: 'lease-expired', router: router.id };
    case 'other-generation':
      if (answer.generation > trial.generation) return foreignGeneration(router, answer.generation, trial);
      throw isBehind(router, answer.generation, trial.generation);
  }
}

/**
 * A foreign generation outranks a lost lease, since then the object is somebody else's; both outrank a router that is away,
 * which asking again may bring back.
 */
async function worst(asked: readonly Promise<AcknowledgeAnswer>[]): Promise<AcknowledgeAnswer> {
  const settled = await Promise.allSettled(asked);
  const answers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const lost =
    answers.find((answer): answer is Foreign => answer.kind === 'foreign') ??
    answers.find((answer): answer is LeaseLost => answer.kind === 'lease-expired');
  if (lost !== undefined) return lost;
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return { kind: 'held' };
}

const foreignGeneration = (router: Router, generation: number, trial: TrialRef): Foreign => ({
  kind: 'foreign',
  explanation: `Somebody else moved the endpoint: router ${router.id} follows generation ${generation}, and this rollout wrote ${trial.generation}.`,
});

const isBehind = (router: Router, at: number, wanted: number): SystemError =>
  new SystemError('Unavailable', `Router ${router.id} follows generation ${at}, and is to come to ${wanted}.`);

async function someRouters(serving: Serving): Promise<readonly Router[]> {
  const routers = await serving.routers();
  if (routers.length === 0)
    throw new SystemError('Unavailable', `No router of ${serving.name} is running: start a gateway before a canary.`);
  return routers;
}
