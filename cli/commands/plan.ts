// `pawl plan MODEL`: what a run of the lifecycle would do, from the model's file and from what is served now.

import type { Command } from 'commander';
import type { ModelFile } from '../../activities/schemas/model-settings.js';
import { SystemError } from '../../dag/failures.js';
import type { Graph } from '../../dag/graph.js';
import { shellWord } from '../../deploy/local/shell-word.js';
import { complete } from '../action.js';
import { duration } from '../format.js';
import { meantName } from '../meant-name.js';
import { runParams } from '../params.js';
import { describeProduction, readProduction } from '../production.js';
import { settingsRows } from '../settings-lines.js';
import { shortestFile } from '../shortest-file.js';
import { wrap } from '../style.js';
import { table } from '../table.js';
import { typed } from '../typed.js';

interface Options {
  readonly override?: readonly string[];
  readonly all?: boolean;
}

export function planCommand(program: Command): void {
  const command = program
    .command('plan')
    .summary('what a run about a model would do')
    .description(
      'Shows what a run of model-lifecycle would do: what is served now, its steps, and the settings that differ from the defaults. Starts nothing.',
    )
    .argument('<model>', 'the name in its file')
    .option(
      '-o, --override <name=value>',
      'as a run would override a setting',
      (value, before: readonly string[] = []) => [...before, value],
    )
    .option('--all', 'every setting, and what each step waits for');
  complete<Options>(
    command,
    [
      ['pawl plan support-bot', 'as its file says'],
      ['pawl plan support-bot -o train.recipe.rank=32', 'with one setting laid over it'],
      ['pawl plan support-bot --all', 'with the defaults'],
    ],
    async ({ args: [model = ''], options, output, session }) => {
      const [project, { modelSettings, settingsDigest }, { modelFile }, { evaluatedWhereTrained }, { modelLifecycle }] =
        await Promise.all([
          session.project(),
          import('../../activities/model-settings.js'),
          import('../../activities/schemas/model-settings.js'),
          import('../../activities/schemas/job-places.js'),
          import('../../pipelines/model-lifecycle.js'),
        ]);
      if (!project.models.has(model))
        throw new SystemError(
          'NotFound',
          `There is no model named ${JSON.stringify(model)} in ${project.root}: ${project.models.size === 0 ? 'it has no models/ yet.' : meantName(model, project.models.keys())}`,
        );
      const overrides = runParams(undefined, options.override ?? [], '--override');
      const settings = modelSettings(model, project, overrides);
      const digest = settingsDigest(settings);
      const steps = modelLifecycle.graph.steps.map(({ id, upstream, timeoutMs, deadlineMs, kind }) => ({
        id,
        kind,
        upstream,
        timeoutMs,
        deadlineMs,
      }));
      const read = await output.during('reading what is served', () => readProduction(session, model, digest));
      const production = read instanceof Error ? new Error(await session.sentenceOf(read)) : read;
      const changes = describeProduction(model, production);
      const { style } = output;
      const everything = settingsRows(settings);
      // As model() fills a file in.
      const own = settingsRows(
        shortestFile(settings, (file) => modelFile.safeParse(evaluatedWhereTrained(file as ModelFile)).data),
      );
      const isAll = options.all === true;
      const rows = (isAll ? everything : own).map(([path, value]) => [style.dim(path), value]);
      const { graph } = modelLifecycle;
      const { environment } = await session.settings();
      const params = { model, ...(Object.keys(overrides).length > 0 && { overrides }) };
      output.answer(
        {
          model,
          environment,
          settings,
          settingsDigest: digest,
          steps,
          production: production instanceof Error ? null : production.state,
          changes,
        },
        [
          `${style.bold(model)} in ${environment}`,
          '',
          style.bold('Now'),
          ...changes.flatMap((line) => wrap(line, output.columns - 2).map((each) => `  ${each}`)),
          '',
          style.bold('Steps'),
          ...(isAll
            ? table(graph.steps.map(stepRow), { indent: 2, columns: output.columns })
            : wrap(graph.steps.map(({ id }) => id).join(' → '), output.columns - 2).map((line) => `  ${line}`)),
          '',
          isAll
            ? style.bold('Settings')
            : `${style.bold('Settings that differ from the defaults')} ${style.dim(`(${everything.length} in all: --all)`)}`,
          ...table(rows, { indent: 2, columns: output.columns }),
          '',
          `Start it: ${typed(`run model-lifecycle ${shellWord(JSON.stringify(params))} --watch`)}`,
        ],
      );
    },
  );
}

const stepRow = (step: Graph['steps'][number]): string[] => [
  step.id,
  [
    step.upstream.length === 0 ? 'first' : `after ${step.upstream.join(', ')}`,
    ...(step.when === undefined ? [] : ['on a condition']),
    ...(step.teardownOf === undefined ? [] : [`clean-up of ${step.teardownOf.join(', ')}`]),
    `at most ${duration(step.deadlineMs)}`,
  ].join(' · '),
];
