// Asks a worker what the run is to be: at once where this worker knows, else of whichever worker does.

import { ApplicationFailure, SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import {
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  Admission,
  AdmissionFailureDetails,
  AdmitRequest,
  EngineActivities,
  UnknownDagDetails,
  WorkflowStepEnvelope,
} from '../../activities/engine/protocol.js';
import type { TriggerKind } from '../../dag/context.js';
import type { FailureType } from '../../dag/failures.js';
import { keyword, logicalDateKey, setSearchAttributes } from '../search-attributes.js';
import { causeOf, type Cause } from './failure.js';

const defaultWaitMs = 10 * 60_000;

const scheduledAtKey = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);
const scheduledByKey = defineSearchAttributeKey('TemporalScheduledById', SearchAttributeType.KEYWORD);

const triggers: readonly string[] = ['manual', 'schedule', 'alert', 'parent'] satisfies TriggerKind[];
const isTrigger = (text: string | undefined): text is TriggerKind => text !== undefined && triggers.includes(text);

/** What a run knows of itself before anything has been asked. */
export function describeRun(input: unknown): AdmitRequest {
  const info = workflowInfo();
  const attributes = info.typedSearchAttributes;
  const said = attributes.get(keyword('PawlTrigger'));
  const scheduled = attributes.get(scheduledByKey) !== undefined;
  // A schedule's run means the time that it was scheduled for, however late it starts.
  const logicalDate = attributes.get(logicalDateKey) ?? attributes.get(scheduledAtKey) ?? info.startTime;
  const parent = info.parent === undefined ? undefined : envelopeOf(input);
  return {
    name: info.workflowType,
    input: parent === undefined ? (input ?? {}) : parent.input,
    workflowId: info.workflowId,
    runId: info.firstExecutionRunId,
    trigger: scheduled ? 'schedule' : isTrigger(said) ? said : info.parent === undefined ? 'manual' : 'parent',
    logicalDate: parent?.run.logicalDate ?? logicalDate.toISOString(),
  };
}

/** What a run that is a step of another one is started with. */
function envelopeOf(input: unknown): WorkflowStepEnvelope | undefined {
  const envelope = input as Partial<WorkflowStepEnvelope> | undefined;
  return envelope?.run !== undefined && envelope.step !== undefined ? (envelope as WorkflowStepEnvelope) : undefined;
}

/** Throws ApplicationFailure: `InvalidInput` at once, `UnknownDag` after the time that a deploy may take. */
export async function admitRun(request: AdmitRequest): Promise<Admission> {
  const here = proxyLocalActivities<EngineActivities>({
    startToCloseTimeout: '10 seconds',
    retry: { maximumAttempts: 1 },
    summary: `admit ${request.name}`,
  });
  try {
    return await here.admit(request);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const cause = causeOf(error);
    if (!mayPass(cause)) throw failureOf(cause);
    return admitElsewhere(request, cause);
  }
}

/** An ordinary activity goes to any worker, and its waiting and last failure show in the UI without growing the history. */
async function admitElsewhere(request: AdmitRequest, first: Cause): Promise<Admission> {
  const waitMs = waitOf(first);
  // Otherwise no list would have it while it waits, unless whoever started it set them.
  setSearchAttributes(standing(request, environmentIn(first)));
  setCurrentDetails(
    `**${request.name}** · waiting to be admitted, for ${Math.ceil(waitMs / 1000)} s at most: ${first.sentence}`,
  );
  const elsewhere = proxyActivities<EngineActivities>({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '10 seconds',
    scheduleToCloseTimeout: waitMs,
    retry: { initialInterval: '1 second', maximumInterval: '15 seconds' },
    summary: `admit ${request.name}`,
  });
  try {
    return await elsewhere.admit(request);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const last = causeOf(error);
    throw failureOf(last.type === ('DeadlineExceeded' satisfies FailureType) ? first : last);
  }
}

const mayPass = ({ type, retryable }: Cause): boolean =>
  retryable || type === ('DeadlineExceeded' satisfies FailureType);

const waitOf = ({ details }: Cause): number => {
  const waitMs = (details as Partial<UnknownDagDetails> | undefined)?.deployWaitMs;
  return typeof waitMs === 'number' ? waitMs : defaultWaitMs;
};

/** Whose lists a run belongs to that was not admitted; `undefined` where nobody said. */
export const environmentOf = (error: unknown): string | undefined => environmentIn(causeOf(error));
const environmentIn = ({ details }: Cause): string | undefined =>
  (details as Partial<AdmissionFailureDetails> | undefined)?.environment;

/** Where a run is found that is not admitted, or not yet. */
export const standing = ({ name, trigger }: AdmitRequest, environment: string | undefined) => ({
  PawlDag: name,
  ...(environment === undefined ? {} : { PawlEnvironment: environment }),
  PawlTrigger: trigger,
});

const failureOf = ({ type, sentence, details }: Cause): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message: sentence,
    nonRetryable: true,
    ...(details === undefined ? {} : { details: [details] }),
  });
