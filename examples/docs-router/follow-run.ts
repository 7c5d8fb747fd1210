// Follows a run until it ends: a line for every step that is done, and what is being done at the moment.

import { setTimeout as sleep } from 'node:timers/promises';
import { runRecord, type RunRecord } from '../../activities/engine/run-record-schema.js';
import { progressLines, type RunView, type StepView } from '../../cli/run-view.js';
import { duration } from '../../cli/format.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { runKey } from '../../systems/object-store/keys.js';
import { count, type World } from './world.js';

const lookEveryMs = 600;

/** Called with every look; the next one waits for it. */
type OnLook = (view: RunView) => Promise<void>;

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
        const view = await reader.read(workflowId);
        for (const step of view.steps) {
          if (isDone(step) && !told.has(step.id)) tellStep(world, step);
          if (isDone(step)) told.add(step.id);
        }
        if (view.outcome !== 'running') return recordOf(world, workflowId);
        doing = describe(view) ?? doing;
        await onLook?.(view);
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

function describe(view: RunView): string | undefined {
  const running = view.steps.filter(({ status }) => status === 'running').map(({ id }) => id);
  return running.length === 0 ? undefined : [running.join(', '), ...progressLines(view), ...view.notes].join(' · ');
}

function trafficOf({ traffic }: World): string {
  if (traffic === undefined) return '';
  const failed = traffic.failures.length;
  return ` · users: ${count(traffic.sent)} requests${failed === 0 ? '' : `, ${failed} failed`}`;
}

/** The record that the run leaves in S3, its steps' outputs included. */
async function recordOf({ client, systems }: World, workflowId: string): Promise<RunRecord> {
  const { runId, type } = await client.temporal.workflow.getHandle(workflowId).describe();
  const key = runKey(client.environment, type, runId);
  const found = await readJson(systems.objects, key, runRecord);
  if (found === undefined) throw new Error(`the run ${workflowId} left no record at ${key}`);
  return found.value;
}
