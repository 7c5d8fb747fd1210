// Reads where a run stands: from the run itself, or from its record where no worker answers or Temporal has forgotten it.

import { isGrpcServiceError, WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { runRecord } from '../activities/engine/run-record-schema.js';
import type { PawlClient } from '../client/client.js';
import { keyword } from '../client/search-attributes.js';
import { SystemError } from '../dag/failures.js';
import { readJson } from '../systems/object-store/json-object.js';
import { runKey } from '../systems/object-store/keys.js';
import type { ObjectStore } from '../systems/object-store/port.js';
import type { RunState } from '../workflows/dag-run/run-state.js';
import { activityProgress, type ActivityProgress } from './activity-progress.js';
import { awaitedAdmission } from './awaited-admission.js';
import { describePause } from './pause-text.js';
import { findPause } from './rollout-pause.js';
import type { RunView, StepView } from './run-view.js';
import { printable } from './style.js';

/** A worker that is there answers sooner. */
const queryTimeoutMs = 5_000;

const dagOf = ({ typedSearchAttributes, type }: WorkflowExecutionDescription): string =>
  typedSearchAttributes.get(keyword('PawlDag')) ?? type;

/** A server may leave it out for a run that was never continued or reset. */
const firstRunOf = ({ raw, runId }: WorkflowExecutionDescription): string =>
  raw.workflowExecutionInfo?.firstRunId || runId;

export class RunReader {
  constructor(
    readonly client: PawlClient,
    readonly objects: ObjectStore,
  ) {}

  /** Throws `NotFound` where Temporal does not know the run. */
  async read(workflowId: string): Promise<RunView> {
    const { temporal } = this.client;
    const described = await temporal.workflow
      .getHandle(workflowId)
      .describe()
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        throw new SystemError('NotFound', `Temporal knows no run ${workflowId}: "pawl runs" lists those it knows.`, {
          cause: error,
        });
      });
    const isOpen = described.status.name === 'RUNNING';
    const notes: string[] = [];
    const progress = isOpen ? activityProgress(described) : [];
    // The record of a run that has ended is complete, and needs no worker.
    let steps = isOpen ? undefined : await this.#recorded(described);
    let state: RunState | undefined;
    if (steps === undefined) {
      state = await this.#state(workflowId);
      steps = state?.steps ?? (await this.#recorded(described));
      const awaited = isOpen ? awaitedAdmission(described, new Date()) : undefined;
      if (awaited !== undefined) notes.push(awaited);
      else if (state === undefined && isOpen)
        notes.push(
          `no worker answers on task queue ${described.taskQueue}: start one with "pawl dev" or "pawl worker"`,
        );
    }
    if (isOpen && state?.message != null) notes.push(state.message);
    if (isOpen) await this.#addRollout({ notes, progress }, state, steps ?? []);
    const outcome = described.typedSearchAttributes.get(keyword('PawlOutcome'));
    return {
      workflowId,
      runId: described.runId,
      firstRunId: firstRunOf(described),
      dag: dagOf(described),
      model: described.typedSearchAttributes.get(keyword('PawlModel')) ?? null,
      outcome: isOpen ? 'running' : (outcome ?? described.status.name.toLowerCase()),
      startedAt: described.startTime,
      endedAt: described.closeTime ?? null,
      steps: steps ?? [],
      notes,
      progress,
    };
  }

  async #state(workflowId: string): Promise<RunState | undefined> {
    const { temporal } = this.client;
    try {
      return await temporal.connection.withDeadline(Date.now() + queryTimeoutMs, () =>
        temporal.workflow.getHandle(workflowId).query<RunState>('state'),
      );
    } catch (error) {
      // Also a run whose first act has not ended yet: it answers no query so early.
      if (isGrpcServiceError(error) || (error as Error).name === 'QueryNotRegisteredError') return undefined;
      if (error instanceof Error && isGrpcServiceError(error.cause)) return undefined;
      throw error;
    }
  }

  async #recorded(described: WorkflowExecutionDescription): Promise<readonly StepView[] | undefined> {
    const key = runKey(this.client.environment, dagOf(described), firstRunOf(described));
    const found = await readJson(this.objects, key, runRecord).catch(() => undefined);
    if (found === undefined) return undefined;
    const { graph, steps } = found.value;
    return graph.steps.map(({ id }) => {
      const step = steps[id];
      return {
        id,
        status: step?.status ?? 'waiting',
        startedAt: step?.startedAt ?? null,
        endedAt: step?.endedAt ?? null,
        attempts: step?.attempts ?? null,
        outcome: step?.outcome ?? null,
        reason: step?.reason ?? null,
      };
    });
  }

  /** A rollout is a workflow of its own: what it does at the moment belongs to the picture. */
  async #addRollout(
    to: { notes: string[]; progress: ActivityProgress[] },
    state: RunState | undefined,
    steps: readonly StepView[],
  ): Promise<void> {
    const rollsOut = steps.some(({ id, status }) => status === 'running' && /deploy|rollback/.test(id));
    if (!rollsOut || state?.model == null) return;
    const { temporal } = this.client;
    const rollout = this.client.rollout(state.model);
    try {
      const [{ operation }, described] = await temporal.connection.withDeadline(Date.now() + queryTimeoutMs, () =>
        Promise.all([rollout.state(), temporal.workflow.getHandle(rollout.workflowId).describe()]),
      );
      if (operation === null) return;
      const version = operation.version === null ? 'the previous version' : `version ${operation.version}`;
      const pause = await findPause(temporal, rollout, operation);
      const now =
        pause === undefined ? `${operation.weightPercent} % · ${printable(operation.note)}` : describePause(pause);
      to.notes.push(`rollout of ${version}: ${operation.phase}, ${now}`);
      to.progress.push(...activityProgress(described));
    } catch {
      // No worker answers, which the run's own state has told already.
    }
  }
}
