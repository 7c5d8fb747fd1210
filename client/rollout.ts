// An operator's word to the rollout of a model's endpoint: the updates and the query of the one workflow that conducts it.

import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import type { OperatorMessage, RolloutView } from '../activities/rollout/protocol.js';
import { SystemError } from '../dag/failures.js';
import { rolloutWorkflowId } from '../dag/rollout-id.js';

export type { OperatorMessage, RolloutView };

/** What an operator may say to a rollout. */
export type OperatorWord = 'promote' | 'pause' | 'resume' | 'abort';

/**
 * The rollout of a model's endpoint in one environment. Each word answers one sentence. Throws `NotFound` where nothing is
 * being rolled out, and `RolloutRefused` for another version than the one on trial, or one that it cannot obey any more.
 */
export class Rollout {
  /** Of the workflow that conducts it. */
  readonly workflowId: string;
  readonly #handle: WorkflowHandle;

  constructor(
    client: Client,
    readonly environment: string,
    readonly model: string,
  ) {
    this.workflowId = rolloutWorkflowId(environment, model);
    this.#handle = client.workflow.getHandle(this.workflowId);
  }

  /** How it stands; needs a worker. Throws `NotFound`. */
  async state(): Promise<RolloutView> {
    return this.#handle.query<RolloutView>('state').catch((error: unknown) => this.#explain(error));
  }

  /** Makes the challenger champion at once, without the weights that are left. */
  async promote(message: OperatorMessage): Promise<string> {
    return this.say('promote', message);
  }

  /** Holds it at the weight that it has. It still rolls back where the challenger fails. */
  async pause(message: OperatorMessage): Promise<string> {
    return this.say('pause', message);
  }

  /** Lets a paused one go on. */
  async resume(message: OperatorMessage): Promise<string> {
    return this.say('resume', message);
  }

  /** Takes the challenger off; the champion stays. */
  async abort(message: OperatorMessage): Promise<string> {
    return this.say('abort', message);
  }

  /** Any of these words. */
  async say(word: OperatorWord, message: OperatorMessage): Promise<string> {
    return this.#handle
      .executeUpdate<string, [OperatorMessage]>(word, { args: [message] })
      .catch((error: unknown) => this.#explain(error));
  }

  #explain(error: unknown): never {
    const { environment, model } = this;
    if (error instanceof WorkflowNotFoundError)
      throw new SystemError(
        'NotFound',
        `Nothing is being rolled out for ${model} in ${environment}: "pawl endpoints ${model}" shows what it serves.`,
        { cause: error },
      );
    if (error instanceof WorkflowUpdateFailedError)
      throw new SystemError('RolloutRefused', error.cause instanceof Error ? error.cause.message : error.message, {
        cause: error,
      });
    throw error;
  }
}
