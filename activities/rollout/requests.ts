// How a run asks for a rollout: by Update on the one workflow of the endpoint, which is started where it does not run.

import { Context } from '@temporalio/activity';
import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import {
  ApplicationFailure,
  SearchAttributeType,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  defineSearchAttributeKey,
  type Workflow,
} from '@temporalio/common';
import { SystemError, isFailureType } from '../../dag/failures.js';
import { rolloutWorkflowId } from '../../dag/rollout-id.js';
import type { RolloutOutcome } from '../schemas/rollout-outcome.js';
import type { AbortRequest, BeginAnswer, RolloutCheck, RolloutRequest, RolloutView } from './protocol.js';

export class RolloutDesk {
  constructor(
    private readonly client: Client,
    private readonly environment: string,
  ) {}

  /**
   * Idempotent by the operation's id, also after the workflow has ended. Throws `RolloutRefused` with the holder's name,
   * `Unavailable`.
   */
  async begin(request: RolloutRequest): Promise<BeginAnswer> {
    const known = await this.outcomeOfClosed(request);
    if (known !== undefined) return { status: 'finished', outcome: known };
    const { environment } = this;
    const { model } = request;
    const start = new WithStartWorkflowOperation('rollout', {
      workflowId: rolloutWorkflowId(environment, model),
      taskQueue: Context.current().info.taskQueue,
      args: [{ environment, model }],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `rollout of ${model} in ${environment}`,
      typedSearchAttributes: [
        { key: defineSearchAttributeKey('PawlModel', SearchAttributeType.KEYWORD), value: model },
        { key: defineSearchAttributeKey('PawlEnvironment', SearchAttributeType.KEYWORD), value: environment },
      ],
    });
    try {
      return await this.client.workflow.executeUpdateWithStart<Workflow, BeginAnswer, [RolloutRequest]>('begin', {
        args: [request],
        updateId: `${request.operationId}${request.recovering === true ? '.recover' : ''}`,
        startWorkflowOperation: start,
      });
    } catch (error) {
      throw asSystemError(error, `The rollout of ${model} did not take the request`);
    }
  }

  /** Tells the rollout that an operation is no longer wanted. `known: false`: nobody conducts it. */
  async withdraw(request: AbortRequest): Promise<{ known: boolean }> {
    try {
      return await this.handle(request.model).executeUpdate<{ known: boolean }, [AbortRequest]>('withdraw', {
        args: [request],
      });
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return { known: false };
      throw asSystemError(error, `The rollout of ${request.model} did not take the message`);
    }
  }

  /** How an operation stands with the workflow that should conduct it. */
  async check(request: { operationId: string; model: string }): Promise<RolloutCheck> {
    const outcome = await this.outcomeOfClosed(request);
    if (outcome !== undefined) return { status: 'finished', outcome };
    const description = await this.describe(request.model);
    if (description?.status.name !== 'RUNNING') return { status: 'gone' };
    const view = await look(request.model, () => this.handle(request.model).query<RolloutView>('state'));
    if (view === undefined) return { status: 'gone' };
    const finished = view.finished.find(({ operationId }) => operationId === request.operationId);
    if (finished !== undefined) return { status: 'finished', outcome: finished };
    const isKnown = view.operation?.operationId === request.operationId || view.waiting === request.operationId;
    return { status: isKnown ? 'open' : 'gone' };
  }

  /** The last run's result holds what it ended: an answer that was lost is found there. */
  private async outcomeOfClosed(request: { operationId: string; model: string }): Promise<RolloutOutcome | undefined> {
    const description = await this.describe(request.model);
    if (description?.status.name !== 'COMPLETED') return undefined;
    const handle = this.client.workflow.getHandle(description.workflowId, description.runId);
    const result = await look(request.model, () => handle.result() as Promise<{ finished: RolloutOutcome[] }>);
    return result?.finished.find(({ operationId }) => operationId === request.operationId);
  }

  private describe(model: string): Promise<WorkflowExecutionDescription | undefined> {
    return look(model, () => this.handle(model).describe());
  }

  private handle(model: string) {
    return this.client.workflow.getHandle(rolloutWorkflowId(this.environment, model));
  }
}

/** What Temporal says of a rollout; undefined where it knows none. Throws `Unavailable`, also where no worker answers. */
async function look<T>(model: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw asSystemError(error, `The rollout of ${model} could not be looked up`);
  }
}

function asSystemError(error: unknown, what: string): SystemError {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (cause instanceof ApplicationFailure && typeof cause.type === 'string' && isFailureType(cause.type))
    return new SystemError(cause.type, cause.message);
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError('Unavailable', `${what}: ${message}. It is tried again.`, { cause: error });
}
