// Follows a run until it ends: a line for every step that is done, and what is being done at the moment.

import { setTimeout as sleep } from 'node:timers/promises';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { runRecord, type RunRecord } from '../../activities/engine/run-record-schema.js';
import type { RunView, StepView } from '../../cli/run-view.js';
import { duration } from '../../cli/format.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { runKey } from '../../systems/object-store/keys.js';
import { count, type World } from './world.js';

const lookEveryMs = 600;

/** What the activity that waits for a job says in its heartbeats. */
const heartbeat = z.object({
  progress: z
    .object({ step: z.number(), steps: z.number(), loss: z.number().optional(), examples: z.number().optional() })
    .partial(),
});
type Progress = z.infer<typeof heartbeat>['progress'];

/** Called with every look; the next one waits for it. */
type OnLook = (view: RunView, progress: Progress | undefined) => Promise<void>;

/** Answers the record of the run, once it has ended. */
export async function followRun(world: World, workflowId: string, onLook?: OnLook): Promise<RunRecord> {
  const { screen, signal, reader } = world;
  const told = new Set<string>();
  let doing = 'starting';
  return screen.during(
    () => doing + trafficOf(world),
    async () => {
      for (;;) {
        signal.throwIfAborted();
        const [view, progress] = await Promise.all([reader.read(workflowId), jobProgress(world, workflowId)]);
        for (const step of view.steps) {
          if (isDone(step) && !told.has(step.id)) tellStep(world, step);
          if (isDone(step)) told.add(step.id);
        }
        if (view.outcome !== 'running') return recordOf(world, workflowId);
        doing = describe(view, progress) ?? doing;
        await onLook?.(view, progress);
        await sleep(lookEveryMs, undefined, { signal });
      }
    },
  );
}

const isDone = ({ status, startedAt }: StepView): boolean =>
  startedAt !== null && status !== 'running' && status !== 'waiting';

function tellStep({ screen }: World, { id, status, startedAt, endedAt, reason }: StepView): void {
  const { green, red, dim } = screen.style;
  const took = duration(Date.parse(endedAt ?? '') - Date.parse(startedAt ?? ''));
  const mark = status === 'success' ? green('✓') : red('✗');
  const isTeardown = id === 'rollback' && status === 'success';
  const why = isTeardown ? dim('  the teardown') : status === 'success' || reason === null ? '' : `  ${reason}`;
  screen.line(`${mark} ${id.padEnd(20)} ${dim(took.padStart(6))}${why}`);
}

function describe(view: RunView, progress: Progress | undefined): string | undefined {
  const running = view.steps.filter(({ status }) => status === 'running').map(({ id }) => id);
  if (running.length === 0) return undefined;
  const { step, steps, loss, examples } = progress ?? {};
  const how = [
    step !== undefined && steps !== undefined ? `step ${step} of ${steps}` : undefined,
    loss === undefined ? undefined : `loss ${loss.toFixed(2)}`,
    examples === undefined ? undefined : `${examples} examples`,
    ...view.notes,
  ].filter((part) => part !== undefined);
  return [running.join(', '), ...how].join(' · ');
}

function trafficOf({ traffic }: World): string {
  if (traffic === undefined) return '';
  const failed = traffic.failures.length;
  return ` · users: ${count(traffic.sent)} requests${failed === 0 ? '' : `, ${failed} failed`}`;
}

async function jobProgress({ client }: World, workflowId: string): Promise<Progress | undefined> {
  const { raw } = await client.temporal.workflow.getHandle(workflowId).describe();
  for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
    const payload = heartbeatDetails?.payloads?.[0];
    if (payload == null) continue;
    const parsed = heartbeat.safeParse(defaultPayloadConverter.fromPayload(payload));
    if (parsed.success) return parsed.data.progress;
  }
  return undefined;
}

/** The record that the run leaves in S3, its steps' outputs included. */
async function recordOf({ client, systems }: World, workflowId: string): Promise<RunRecord> {
  const { runId, type } = await client.temporal.workflow.getHandle(workflowId).describe();
  const key = runKey(client.environment, type, runId);
  const found = await readJson(systems.objects, key, runRecord);
  if (found === undefined) throw new Error(`the run ${workflowId} left no record at ${key}`);
  return found.value;
}
