// What the demo came to, as Temporal, the registry, the endpoint and the gateway tell it: nothing here is the demo's own memory.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RunSummary } from '../../client/list-runs.js';
import { model, type World } from './world.js';

export interface RunFinding {
  /** What it was started as: the last part of its workflow id, or its DAG where that says nothing. */
  readonly name: string;
  readonly workflowId: string;
  readonly outcome: string | null;
  /** What it made, or went back to; null: it made none. */
  readonly modelVersion: number | null;
  readonly durationMs: number;
}

export interface Findings {
  /** Oldest first. */
  readonly runs: readonly RunFinding[];
  readonly requests: {
    /** That reached the gateway for this model. */
    readonly total: number;
    /** Answered with 500 or above. */
    readonly failed: number;
    /** That got no whole answer. */
    readonly lost: number;
  };
  /** The endpoint's; the registry's alias says the same. */
  readonly champion: number | null;
}

const output = z.object({ version: z.number().nullish(), champion: z.number().nullish() });
/** A run that has just ended appears in Temporal's list a moment later. */
const listedWithinMs = 15_000;

/** Call it once the users have gone. Throws where the systems disagree. */
export async function findOut(world: World, expectedRuns: number): Promise<Findings> {
  const { systems, router } = world;
  const listed = await listRuns(world, expectedRuns);
  const runs: RunFinding[] = [];
  for (const run of listed) runs.push(await findingOf(world, run));
  const requests = await router.requests(model);
  if (requests === undefined) throw new Error(`the gateway does not know ${model}`);
  const champion = (await systems.endpoints.read(model))?.state.champion ?? null;
  const alias = (await systems.registry.alias(model, 'champion'))?.version ?? null;
  if (alias !== champion)
    throw new Error(
      `the endpoint serves version ${champion ?? 'none'}, and the registry's alias names ${alias ?? 'none'}`,
    );
  const { received, answered, failed } = requests;
  return { runs, requests: { total: received, failed, lost: received - answered }, champion };
}

async function listRuns({ client, signal }: World, expected: number): Promise<readonly RunSummary[]> {
  const untilMs = performance.now() + listedWithinMs;
  for (;;) {
    const runs: RunSummary[] = [];
    for await (const run of client.list({ model })) runs.push(run);
    const closed = runs.filter(({ endedAt }) => endedAt !== null);
    if (closed.length >= expected || performance.now() > untilMs) return closed.reverse();
    await sleep(300, undefined, { signal });
  }
}

async function findingOf({ client }: World, run: RunSummary): Promise<RunFinding> {
  const { workflowId, dag, outcome, startedAt, endedAt } = run;
  const result = await client.result(workflowId).catch(() => undefined);
  const parsed = output.safeParse(result?.output);
  const made = parsed.success ? (dag === 'rollback' ? parsed.data.champion : parsed.data.version) : null;
  return {
    name: dag === 'model-lifecycle' ? (workflowId.split('/').at(-1) ?? dag) : dag,
    workflowId,
    outcome: result?.outcome ?? outcome,
    modelVersion: made ?? null,
    durationMs: Date.parse(endedAt ?? startedAt) - Date.parse(startedAt),
  };
}
