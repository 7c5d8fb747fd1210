// Runs a task's own code in this process, between the same checks of its schemas that a worker makes.

import type { z } from 'zod';
import type { Logger, RunIdentity, TaskContext } from '../dag/context.js';
import { SystemError } from '../dag/failures.js';
import { stepKey } from '../dag/step-key.js';
import type { ActivityTask, InputOf, JobTask, OutputOf } from '../dag/task.js';
import { parseWith } from '../dag/validation.js';
import type { Systems } from '../systems/systems.js';
import { memorySystems } from './memory-systems.js';

/** A task that needs no Temporal server: every kind but those that are workflows of Pawl's own. */
type RunnableTask = ActivityTask | JobTask;

export interface RunTaskOptions {
  /** New `memorySystems()` unless set. */
  readonly systems?: Systems;
  readonly run?: Partial<RunIdentity>;
  /** As the step of this id; under the task's own name unless set. */
  readonly step?: { readonly id: string; readonly key: string };
  readonly signal?: AbortSignal;
  /** Says nothing unless set. */
  readonly log?: Logger;
}

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * One attempt of a task with this input; a job is submitted, awaited and released. Throws what the task throws, `InvalidInput`
 * and `InvalidOutput` for what its schemas refuse.
 */
export async function runTask<T extends RunnableTask>(
  task: T,
  input: InputOf<T>,
  options: RunTaskOptions = {},
): Promise<OutputOf<T>> {
  const given: unknown = parseWith(task.input, input, `input of ${options.step?.id ?? task.name}`);
  const output = await attempt(task, given, contextOf(task, options));
  const checked = task.output.safeParse(output);
  if (!checked.success)
    throw new SystemError('InvalidOutput', `Task ${task.name} gave an output that its own schema refuses.`, {
      details: { issues: checked.error.issues },
    });
  return checked.data as OutputOf<T>;
}

async function attempt(task: RunnableTask, input: z.output<z.ZodType>, context: TaskContext): Promise<unknown> {
  if (task.kind === 'activity') return task.run(input, context);
  let job: unknown;
  try {
    job = await task.submit(input, context);
    return await task.await(input, job, context);
  } finally {
    await task.release(input, job, context);
  }
}

function contextOf(task: RunnableTask, options: RunTaskOptions): TaskContext {
  const { systems = memorySystems(), signal = new AbortController().signal, log = silent } = options;
  const run: RunIdentity = {
    dag: task.name,
    environment: systems.environment,
    workflowId: `${task.name}/test`,
    runId: 'test-run',
    logicalDate: new Date().toISOString(),
    trigger: 'manual',
    ...options.run,
  };
  return {
    systems,
    log,
    progress: () => {},
    lastProgress: undefined,
    signal,
    run,
    step: { id: task.name, key: stepKey(run.runId, task.name), ...options.step, attempt: 1 },
  };
}
