// Systems of a stage that break as a scenario says, and people who do not ask.

import { SystemError } from '../../../dag/failures.js';
import { moveEndpoint } from '../../../systems/endpoint/move.js';
import type { EndpointChangeKind, EndpointState } from '../../../systems/endpoint/state.js';
import type { EndpointAct, Transition } from '../../../systems/endpoint/transitions.js';
import type { Stage } from '../../workflow/rollout-stage.js';

/** Each of these is over once its answer is called. */
type Mend = () => void;

/** Follows every write of one kind to the endpoint; where it throws, the writer never learns that it wrote. */
export function afterWrite({ endpoints }: Stage, kind: EndpointChangeKind, then: () => void): Mend {
  const write = endpoints.write.bind(endpoints);
  endpoints.write = async (...args) => {
    const answer = await write(...args);
    if (args[1].change.kind === kind) then();
    return answer;
  };
  return () => (endpoints.write = write);
}

// No retry of Temporal's helps against a refusal, so that the workflow itself has to try again.
const refused = async (): Promise<never> => {
  throw new SystemError('PermissionDenied', 'the credentials were refused');
};

export function breakWrites({ endpoints }: Stage): Mend {
  const write = endpoints.write.bind(endpoints);
  endpoints.write = refused;
  return () => (endpoints.write = write);
}

export function breakAliases({ registry }: Stage): Mend {
  const setAlias = registry.setAlias.bind(registry);
  registry.setAlias = refused;
  return () => (registry.setAlias = setAlias);
}

/** They do not answer. */
export function breakRouters({ serving }: Stage): Mend {
  const setAway = (away: boolean): void => {
    for (const router of serving.memoryRouters) router.away = away;
  };
  setAway(true);
  return () => setAway(false);
}

/** Somebody moves the endpoint, and no rollout knows. */
export async function moveByHand(
  { endpoints, model }: Stage,
  decide: (state: EndpointState | null, act: EndpointAct) => Transition,
): Promise<void> {
  const act = { operationId: 'grace/1', by: 'grace', reason: 'at night', at: new Date().toISOString() };
  const result = await moveEndpoint(endpoints, model, {
    operationId: act.operationId,
    decide: (state) => decide(state, act),
  });
  if (!result.moved) throw new Error(result.refusal);
}
