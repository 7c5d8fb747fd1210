// What nobody else can do for a run that was terminated or whose worker is gone for good: ends its jobs, takes down services that
// no endpoint wants, and closes its record. Several workers may each run one.

import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { readRunRecord, writeRunRecord } from '../activities/engine/run-record.js';
import { reapJobs, type ReaperSurroundings } from '../activities/remote-job/reaper.js';
import { rolloutWorkflowId } from '../dag/rollout-id.js';
import { keyword } from '../client/search-attributes.js';
import type { Logger } from '../dag/context.js';
import { runKey } from '../systems/object-store/keys.js';
import type { Systems } from '../systems/systems.js';

export interface ReaperOptions {
  readonly systems: Systems;
  readonly client: Client;
  readonly log: Logger;
  /** How long a service may be wanted by nobody that is known: ten minutes unless set. */
  readonly orphanedServiceMs?: number;
}

type RunStatus = Awaited<ReturnType<ReaperSurroundings['runStatus']>>;

const minuteMs = 60_000;
/** Records of runs that were terminated longer ago were closed by an earlier pass. */
const terminatedWithinMs = 24 * 60 * minuteMs;

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Reaper {
  readonly #options: ReaperOptions;
  /** When a service was first seen that nobody wants. */
  readonly #orphanedSinceMs = new Map<string, number>();
  readonly #closed = new Set<string>();

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** Looks once. Never throws: what fails is tried again at the next pass. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { systems, log } = this.#options;
    const { objects, environment, compute, serving } = systems;
    const chores: Readonly<Record<string, () => Promise<unknown>>> = {
      jobs: () =>
        reapJobs({
          objects,
          environment,
          compute,
          log,
          runStatus: (run) => this.#runStatus(run),
          // One that a serving record names is taken down by that record, below.
          serviceIsWanted: (service) => serving.isWanted(service),
        }),
      services: () => this.#retireOrphans(),
      records: () => this.#closeRecords(),
    };
    for (const [name, chore] of Object.entries(chores)) {
      if (signal?.aborted === true) return;
      await chore().catch((error: unknown) =>
        log.warn({ chore: name, error: sentence(error) }, 'the reaper could not look'),
      );
    }
  }

  /** A workflow that Temporal does not know proves nothing: it forgets closed ones, and may be another cluster. */
  async #runStatus({ workflowId, runId }: { workflowId: string; runId: string }): Promise<RunStatus> {
    try {
      const latest = await this.#options.client.workflow.getHandle(workflowId).describe();
      const first = latest.raw.workflowExecutionInfo?.firstRunId || latest.runId;
      // A later run under the same id: ours is over.
      if (first !== runId && latest.runId !== runId) return 'closed';
      return latest.status.name === 'RUNNING' ? 'open' : 'closed';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'unknown';
      throw error;
    }
  }

  async #retireOrphans(): Promise<void> {
    for await (const model of this.#options.systems.registry.models())
      await this.#apart({ model }, 'the services of a model could not be looked at', () =>
        this.#retireOrphansOf(model),
      );
  }

  async #retireOrphansOf(model: string): Promise<void> {
    const { systems, log, orphanedServiceMs = 10 * minuteMs } = this.#options;
    for (const version of await systems.serving.launched(model)) {
      const name = `${model} version ${version}`;
      const isWanted = (): Promise<boolean> => this.#isWanted(model, version);
      if (await isWanted()) {
        this.#orphanedSinceMs.delete(name);
        continue;
      }
      const sinceMs = this.#orphanedSinceMs.get(name) ?? performance.now();
      this.#orphanedSinceMs.set(name, sinceMs);
      if (performance.now() - sinceMs < orphanedServiceMs) continue;
      if (await systems.serving.retire(model, version, { drainMs: 30_000, isWanted }))
        log.warn({ model, version }, 'took down a service that no endpoint names');
      this.#orphanedSinceMs.delete(name);
    }
  }

  /** The rollout first: what one that has just ended has committed, the endpoint names by now. */
  async #isWanted(model: string, version: number): Promise<boolean> {
    if (await this.#rolloutIsOpen(model)) return true;
    const state = (await this.#options.systems.endpoints.read(model))?.state;
    return [state?.champion, state?.previous, state?.challenger].includes(version);
  }

  /** One that fails keeps no other from being looked at. */
  async #apart(what: object, message: string, look: () => Promise<void>): Promise<void> {
    await look().catch((error: unknown) => this.#options.log.warn({ ...what, error: sentence(error) }, message));
  }

  async #rolloutIsOpen(model: string): Promise<boolean> {
    const { client, systems } = this.#options;
    try {
      const { status } = await client.workflow.getHandle(rolloutWorkflowId(systems.environment, model)).describe();
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** A terminated run cannot write the end of its own record. */
  async #closeRecords(): Promise<void> {
    const { client, systems, log } = this.#options;
    const { objects, environment } = systems;
    const since = new Date(Date.now() - terminatedWithinMs).toISOString();
    const query = `ExecutionStatus IN ("Terminated", "TimedOut") AND PawlEnvironment = "${environment}" AND CloseTime > "${since}"`;
    for await (const run of client.workflow.list({ query })) {
      const dag = run.typedSearchAttributes.get(keyword('PawlDag')) ?? run.type;
      // Lists leave it out for a run that was never continued.
      const runId = run.raw.firstRunId || run.runId;
      const key = runKey(environment, dag, runId);
      if (this.#closed.has(key)) continue;
      await this.#apart({ dag, runId }, 'the record of a run could not be closed', async () => {
        const found = await readRunRecord(objects, key);
        if (found?.value.status === 'running') {
          const endedAt = (run.closeTime ?? new Date()).toISOString();
          await writeRunRecord(objects, {
            environment,
            dag,
            runId,
            sequence: found.value.sequence + 1,
            state: {
              status: 'terminated',
              outcome: 'failed',
              endedAt,
              error: {
                type: 'Cancelled',
                message: 'The run was terminated from outside: nothing of its own could clean up.',
              },
            },
            steps: {},
          });
          log.warn({ dag, runId }, 'closed the record of a run that was terminated');
        }
        this.#closed.add(key);
      });
    }
  }
}
