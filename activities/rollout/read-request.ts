// Reads a step's envelope as a request for a rollout: checked, with its defaults and with who asks and why.

import { SystemError } from '../../dag/failures.js';
import { stepKey } from '../../dag/step-key.js';
import type { WorkflowStepEnvelope } from '../engine/protocol.js';
import { deployInput, rollbackInput } from '../schemas/rollout-input.js';
import type { ReadRequest, RolloutRequest } from './protocol.js';

/** Throws `InvalidInput` with every problem. */
export function readRolloutRequest(envelope: WorkflowStepEnvelope, requesterWorkflowId: string): ReadRequest {
  const { input, run, step } = envelope;
  const isDeploy = typeof input === 'object' && input !== null && 'version' in input;
  const parsed = isDeploy ? deployInput.safeParse(input) : rollbackInput.safeParse(input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new SystemError('InvalidInput', `${step.id}: ${problems.join('; ')}`, { details: { problems } });
  }
  const { data } = parsed;
  const base = {
    operationId: step.key,
    model: data.model,
    by: run.by ?? run.workflowId,
    reason: data.reason ?? run.reason ?? `${run.dag} of ${run.logicalDate}`,
    settings: data.rollout,
    requester: { workflowId: requesterWorkflowId },
  };
  const request: RolloutRequest =
    'version' in data
      ? { ...base, kind: 'deploy', version: data.version, again: data.again }
      : {
          ...base,
          kind: 'rollback',
          toVersion: data.toVersion ?? null,
          ofRollout: data.ofStep === undefined ? null : stepKey(run.runId, data.ofStep),
        };
  return { request, dryRun: data.dryRun };
}
