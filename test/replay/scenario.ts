// What a recorded scenario is: something that happens on a real Temporal server, and the histories that it leaves.

import assert from 'node:assert/strict';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { openStageAt, type Stage, type StageOptions } from '../workflow/rollout-stage.js';
import { healthy, request, rolloutOf } from '../workflow/rollout-story.js';

export type SaveHistory = (name: string, handle: WorkflowHandle) => Promise<void>;

export interface Scenario {
  /** Of the histories, which are files of these names. */
  readonly names: readonly string[];
  /** Throws where it goes otherwise than it is meant to: then nothing is recorded. */
  record(address: string, save: SaveHistory): Promise<void>;
}

/** Part of the name of a worker's sticky queue, which a history holds. */
export const recorder = { identity: 'recorder' };

/** A scenario on a stage of its own, on which version 1 serves well; answers every run whose history is wanted. */
export const story = <Name extends string>(told: {
  readonly names: readonly [Name, ...Name[]];
  readonly stage?: StageOptions;
  readonly tell: (stage: Stage) => Promise<Readonly<Record<Name, WorkflowHandle>>>;
}): Scenario => ({
  names: told.names,
  async record(address, save) {
    const stage = await openStageAt(address, { environment: told.names[0], temporal: recorder, ...told.stage });
    try {
      healthy(stage, 1);
      const handles = await told.tell(stage);
      for (const [name, handle] of Object.entries<WorkflowHandle>(handles)) {
        await hasClosed(handle);
        await save(name, handle);
      }
    } finally {
      await stage.close();
    }
  },
});

type Run = Pick<WorkflowHandle, 'result'>;

/** Waits until a run is over, however it ends. */
export const hasClosed = (run: Run): Promise<unknown> => run.result().catch(() => undefined);

/** Waits for how a run ends, which has to be so. */
export async function ends(run: Run, outcome: string, reason = ''): Promise<void> {
  const end = (await run.result()) as { outcome: string; reason?: string };
  assert.ok(end.outcome === outcome && (end.reason ?? '').includes(reason), JSON.stringify(end));
}

/** Waits for a run to fail, which has to say so. */
export const fails = (run: Run, sentence: string): Promise<void> =>
  assert.rejects(run.result(), (error: Error) => {
    let cause: unknown = error;
    while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
    assert.ok(cause instanceof ApplicationFailure && cause.message.includes(sentence), String(cause));
    return true;
  });

/** A version is the champion, and its rollout over. */
export async function promoted(stage: Stage, version: number, runId?: string): Promise<void> {
  healthy(stage, version);
  await ends(await request(stage, { version }, runId), 'promoted');
  await hasClosed(rolloutOf(stage));
}

/** The run of the rollout that is open now: another one may follow it. */
export async function presentRun(stage: Stage): Promise<WorkflowHandle> {
  const { workflowId, runId } = await rolloutOf(stage).describe();
  return stage.client.workflow.getHandle(workflowId, runId);
}
