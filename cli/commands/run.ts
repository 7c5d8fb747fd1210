// `pawl run`: starts a DAG or a task by its name. What is wrong is said before anything starts.

import type { Command } from 'commander';
import type { StartOptions, Startable } from '../../client/client.js';
import { SystemError } from '../../dag/failures.js';
import type { RunOptions } from '../../dag/run-options.js';
import { complete } from '../action.js';
import { spanOf } from '../day.js';
import { exitCodes } from '../exit-codes.js';
import { meantName } from '../meant-name.js';
import { exitCodeOf } from '../outcome.js';
import { runParams } from '../params.js';
import { newRunId } from '../run-id.js';
import type { Session } from '../session.js';
import { typed } from '../typed.js';
import { whoami } from '../whoami.js';

interface Options {
  readonly param?: readonly string[];
  readonly override?: readonly string[];
  readonly id?: string;
  readonly reason?: string;
  readonly stopAfter?: string;
  readonly logicalDate?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly watch?: boolean;
}

export function runCommand(program: Command): void {
  const command = program
    .command('run')
    .summary('start a pipeline or a task')
    .description('Starts a pipeline, or a task alone, with one JSON object. Nothing starts where that object is wrong.')
    .argument('<name>', 'of a pipeline or a task')
    .argument('[json]', 'its parameters')
    .option('-p, --param <name=value>', 'one parameter; a dotted name reaches into objects', collect)
    .option('-o, --override <name=value>', 'one setting of the model that the run is about, as for pawl plan', collect)
    .option('--id <id>', 'a run of this id is joined, and not started again')
    .option('--reason <text>', 'why it is started')
    .option('--stop-after <step>', 'end after this step')
    .option('--logical-date <date>', 'what the run takes for its time; the moment of its start unless given')
    .option('--dry-run', 'say what would run, and run nothing')
    .option('-w, --wait', 'wait for the end')
    .option('--watch', 'wait for the end, and show every step until then');
  complete<Options>(
    command,
    [
      ['pawl run model-lifecycle --param model=support-bot --watch', 'train, judge and roll out'],
      ['pawl run model-lifecycle -p model=support-bot -o train.recipe.rank=32', 'with one setting laid over its file'],
      [`pawl run model-lifecycle '{"model":"support-bot","stopAfter":"gate"}'`, 'as far as the gate'],
      ['pawl run nightly --id 2026-11-08 --wait', 'the second time it joins the first'],
      ['pawl run nightly --logical-date 2026-11-08', 'as the run of that day (UTC)'],
    ],
    async ({ args: [name = '', json], options, output, session }) => {
      const overrides = options.override ?? [];
      // What is wrong with one is told by the name that it was given under.
      runParams(undefined, overrides, '--override');
      const params = runParams(json, [...(options.param ?? []), ...overrides.map((each) => `overrides.${each}`)]);
      const { id = newRunId(new Date()), reason, stopAfter, dryRun } = options;
      const runOptions: RunOptions = {
        ...(reason !== undefined && { reason }),
        ...(stopAfter !== undefined && { stopAfter }),
        ...(dryRun === true && { dryRun }),
      };
      const logicalDate =
        options.logicalDate === undefined ? undefined : spanOf(options.logicalDate).from.toISOString();
      const startable = await check(session, name, { input: { ...params, ...runOptions }, logicalDate });
      const client = await session.client();
      const startOptions: StartOptions = {
        id,
        by: whoami(),
        ...runOptions,
        ...(logicalDate !== undefined && { logicalDate }),
      };
      const run = await output.during(`starting ${name}`, () =>
        startable === undefined
          ? client.start(name, params, startOptions)
          : client.start<Startable>(startable, params, startOptions),
      );
      const url = await session.uiUrl(run.workflowId, run.runId);
      const { style } = output;
      // A dry run ends at once, and its answer is what it was asked for.
      if (options.wait !== true && options.watch !== true && dryRun !== true) {
        output.answer({ workflowId: run.workflowId, runId: run.runId, dag: name, url: url ?? null }, [
          `Started ${style.bold(run.workflowId)}`,
          ...(url === undefined ? [] : [style.cyan(url)]),
          style.dim(typed(`watch ${run.workflowId}`)),
        ]);
        return;
      }
      if (options.watch !== true && dryRun !== true) output.line(`Started ${style.bold(run.workflowId)}`);
      if (url !== undefined && dryRun !== true) output.line(style.cyan(url));
      if (options.watch === true && dryRun !== true && !output.json) {
        const { watchRun } = await import('../watch-run.js');
        await watchRun(await session.runs(), run.workflowId, output);
      }
      const [{ documentOfEnd }, { endLines }, { dryRunLines }] = await Promise.all([
        import('../run-document.js'),
        import('../end-lines.js'),
        import('../dry-run-lines.js'),
      ]);
      const document = await output.during(`waiting for ${run.workflowId}`, () => documentOfEnd(session, run));
      const lines = (dryRun === true ? dryRunLines(document, output) : undefined) ?? endLines(document, output);
      output.answer(document, document.error === null ? lines : []);
      if (document.error === null) return exitCodeOf(document);
      if (!output.json) output.note(lines.join('\n'));
      return exitCodes.negative;
    },
  );
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

interface Checked {
  /** Parameters and options, in one object as the run gets them. */
  readonly input: object;
  readonly logicalDate: string | undefined;
}

/**
 * All that the worker would check at the run's start, here and now. `undefined`: this folder holds no project, so only the
 * worker knows. Throws `UnknownDag`, `InvalidInput`, `NotFound`.
 */
async function check(session: Session, name: string, { input, logicalDate }: Checked): Promise<Startable | undefined> {
  const [startables, project] = await Promise.all([session.startables(), session.project()]);
  const found = startables.get(name);
  const isEmpty = project.dags.length + project.tasks.length + project.models.size === 0;
  if (found === undefined) {
    if (isEmpty) return undefined;
    throw new SystemError(
      'UnknownDag',
      `Nothing is named ${JSON.stringify(name)}: ${meantName(name, startables.keys())}`,
    );
  }
  const { parseRunInput } = await import('../../dag/run-options.js');
  const schema = found.kind === 'dag' ? found.params : found.alone.params;
  const { params: parsed } = parseRunInput(schema, input, name);
  // Without models at hand, only the worker can tell whether it knows the one that is meant.
  if (isEmpty) return found;
  const systems = await session.systems();
  const context = {
    systems,
    models: project.models,
    logicalDate: logicalDate ?? new Date().toISOString(),
    environment: systems.environment,
  };
  await (found.kind === 'dag' ? found.resolve(parsed, context) : found.alone.resolve(parsed, context));
  return found;
}
