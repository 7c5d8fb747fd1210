// Stands around a task's own code in an activity: checks the contract, the input and the output, and builds the task's context.

import { Context } from '@temporalio/activity';
import type { z } from 'zod';
import type { Logger, TaskContext } from '../../dag/context.js';
import { SystemError } from '../../dag/failures.js';
import type { Json, TaskContract } from '../../dag/graph.js';
import type { ActivityTask, JobTask, Task } from '../../dag/task.js';
import { parseWith, problemsOf } from '../../dag/validation.js';
import type { Systems } from '../../systems/systems.js';
import type { StepAnswer, StepEnvelope } from './protocol.js';
import { report } from './signs-of-life.js';

export interface TaskSurroundings {
  readonly systems: Systems;
  /** A logger whose every line carries these fields: a pino child. */
  logger(fields: Readonly<Record<string, string | number>>): Logger;
}

export type StepActivity = (envelope: StepEnvelope) => Promise<StepAnswer>;

/** The activities of the tasks, by activity type; tasks that are workflows have none. */
export function taskActivities(tasks: Iterable<Task>, surroundings: TaskSurroundings): Record<string, StepActivity> {
  const activities: Record<string, StepActivity> = {};
  for (const task of tasks) {
    if (task.kind === 'activity') activities[task.name] = activityOf(task, surroundings);
    if (task.kind === 'job') Object.assign(activities, jobActivitiesOf(task, surroundings));
  }
  return activities;
}

/** What a worker runs for an activity type that it does not have: a step of a task from another deploy. */
export const unknownTask: StepActivity = async (envelope) => {
  throw contractMissing(envelope.contract, undefined);
};

function activityOf(task: ActivityTask, surroundings: TaskSurroundings): StepActivity {
  return (envelope) =>
    within(task, envelope, surroundings, async (input, context) => parseOutput(task, await task.run(input, context)));
}

function jobActivitiesOf(task: JobTask, surroundings: TaskSurroundings): Record<string, StepActivity> {
  return {
    [`${task.name}:submit`]: (envelope) =>
      within(task, envelope, surroundings, async (input, context) => (await task.submit(input, context)) as Json),
    [`${task.name}:await`]: (envelope) =>
      within(task, envelope, surroundings, async (input, context) =>
        parseOutput(task, await task.await(input, envelope.job, context)),
      ),
    [`${task.name}:release`]: (envelope) =>
      within(task, envelope, surroundings, async (input, context) => {
        await task.release(input, envelope.job, context);
        return null;
      }),
  };
}

/** The answer, with `undefined` (a task that gives nothing) as JSON's null. */
const parseOutput = (task: Task, output: unknown): Json => {
  const parsed = task.output.safeParse(output);
  if (parsed.success) return (parsed.data ?? null) as Json;
  const problems = problemsOf(parsed.error.issues, output).map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  );
  throw new SystemError(
    'InvalidOutput',
    `Task ${task.name} gave an output that its own schema refuses: ${problems.join('; ')}.`,
    {
      details: { problems },
    },
  );
};

async function within(
  task: Task,
  envelope: StepEnvelope,
  surroundings: TaskSurroundings,
  run: (input: z.output<z.ZodType>, context: TaskContext) => Promise<Json>,
): Promise<StepAnswer> {
  if (task.contract.digest !== envelope.contract.digest || task.contract.version !== envelope.contract.version)
    throw contractMissing(envelope.contract, task.contract);
  const activity = Context.current();
  const attempt = envelope.submission ?? activity.info.attempt;
  const lastProgress = activity.info.heartbeatDetails as Json | undefined;
  const input = parseWith(task.input, envelope.input, `input of step ${envelope.step.id}`);
  const output = await run(input, {
    systems: surroundings.systems,
    log: surroundings.logger({
      dag: envelope.run.dag,
      workflowId: envelope.run.workflowId,
      runId: envelope.run.runId,
      step: envelope.step.id,
      task: task.name,
      attempt,
    }),
    progress: (details) => report(activity, details),
    lastProgress,
    signal: activity.cancellationSignal,
    run: envelope.run,
    step: { ...envelope.step, attempt },
  });
  return { output, attempt };
}

function contractMissing(wanted: TaskContract, here: TaskContract | undefined): SystemError {
  const known =
    here === undefined
      ? 'this worker has no task of that name'
      : here.version !== wanted.version
        ? `this worker has version ${here.version}`
        : 'this worker has that version with other schemas, so its version ought to have moved on';
  return new SystemError(
    'TaskContractMissing',
    `The run was started with task ${wanted.name} version ${wanted.version} (${wanted.digest.slice(0, 12)}), and ${known}: ` +
      'deploy a worker that has it, or start the run anew.',
    { details: { wanted, here: here ?? null } },
  );
}
