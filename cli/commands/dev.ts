// `pawl dev`: everything for one machine, until ctrl-C.

import { basename } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { LocalEvent } from '../../deploy/local/local-event.js';
import type { Local } from '../../deploy/local/start-local.js';
import { complete } from '../action.js';
import { exitCodes } from '../exit-codes.js';
import { clock } from '../format.js';
import type { Output } from '../output.js';
import { wrap } from '../style.js';
import { typed } from '../typed.js';
import { describeWorkerLine } from '../worker-line.js';

interface Options {
  readonly watch: boolean;
  readonly uiPort?: number;
  readonly temporalPort?: number;
  readonly s3Port?: number;
  readonly gatewayPort?: number;
}

const port = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('must be a port between 1 and 65535.');
  return value;
};

export function devCommand(program: Command): void {
  const command = program
    .command('dev')
    .summary('run everything on this machine')
    .description(
      'Runs Temporal with its Web UI, S3, a gateway and a worker on this machine, with what pipelines/, tasks/ and models/ (or FILES) define, and reloads the worker when a file changes. What runs are open is kept in .pawl/ and taken up at the next start.',
    )
    .argument('[files...]', 'files with DAGs, tasks and models, in place of those found by convention')
    .option('--no-watch', 'leave the worker as it is when a file changes')
    .option('--ui-port <port>', "of Temporal's Web UI", port)
    .option('--temporal-port <port>', 'of Temporal', port)
    .option('--s3-port <port>', 'of S3', port)
    .option('--gateway-port <port>', 'where users ask', port);
  complete<Options>(
    command,
    [
      ['pawl dev', 'in a project’s folder'],
      ['pawl dev pipelines/nightly.ts', 'only what this file defines'],
      ['pawl dev --ui-port 8233', 'the Web UI at a fixed port'],
    ],
    async ({ args, options, output, session }) => {
      const files = (args[0] ?? []) as unknown as readonly string[];
      const { startLocal } = await import('../../deploy/local/start-local.js');
      const { uiPort, temporalPort, s3Port, gatewayPort } = options;
      const ports = {
        ...(uiPort !== undefined && { temporalUi: uiPort }),
        ...(temporalPort !== undefined && { temporal: temporalPort }),
        ...(s3Port !== undefined && { s3: s3Port }),
        ...(gatewayPort !== undefined && { gateway: gatewayPort }),
      };
      const signalled = firstSignal(output);
      const local = await output.during('starting', (say) =>
        startLocal({
          root: session.root,
          files,
          ports,
          watch: options.watch,
          onProgress: say,
          onEvent: (event) => output.note(describeEvent(event, output)),
          onWorkerLine: (line) => {
            const text = describeWorkerLine(line, output.errorStyle);
            if (text !== undefined) output.note(text);
          },
        }),
      );
      output.answer(document(local), greeting(local, output));
      const end = await Promise.race([signalled, local.broken]);
      const isBroken = end !== 'signal';
      if (isBroken) output.note(`${output.errorStyle.red('pawl:')} ${end}`);
      else output.line('');
      await output.during('ending jobs, the worker and the servers', () => local.stop());
      output.note('Everything has ended. Open runs go on at the next "pawl dev".');
      return isBroken ? exitCodes.unavailable : exitCodes.ok;
    },
  );
}

/** The second signal does not wait for an orderly end. */
function firstSignal(output: Output): Promise<'signal'> {
  return new Promise((resolve) => {
    let count = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        count += 1;
        resolve('signal');
        if (count === 2) output.note('Once more, and it ends at once, jobs excepted.');
        if (count > 2) process.exit(130);
      });
  });
}

const document = (local: Local): object => ({
  root: local.root,
  environment: local.environment,
  bucket: local.bucket,
  temporal: { ...local.temporal, uiUrl: local.temporal.uiUrl ?? null },
  s3: local.s3?.endpoint ?? null,
  gateway: local.gatewayUrl,
  workerPid: local.workerPid ?? null,
  project: local.project,
});

const titleWidth = 12;

function greeting(local: Local, { style, columns }: Output): string[] {
  const { dags, models } = local.project;
  const list = (names: readonly string[]): string => (names.length === 0 ? style.dim('none') : names.join(', '));
  const typedRow = (title: string, text: string): string => `  ${style.dim(title.padEnd(titleWidth))}${text}`;
  const row = (title: string, text: string): string[] =>
    wrap(text, columns - titleWidth - 2).map((line, index) => typedRow(index === 0 ? title : '', line));
  return [
    '',
    `  ${style.bold('Pawl')} runs ${style.bold(basename(local.root))}`,
    '',
    ...row('Web UI', style.cyan(local.temporal.uiUrl ?? `that of ${local.temporal.address}`)),
    ...row(
      'Gateway',
      `${style.cyan(local.gatewayUrl)} ${style.dim('(the field "model" of a request names the endpoint)')}`,
    ),
    ...row('Temporal', `${style.cyan(local.temporal.address)} ${style.dim(`namespace ${local.temporal.namespace}`)}`),
    ...row(
      'S3',
      `${style.cyan(local.s3?.endpoint ?? 'as the environment says')} ${style.dim(`bucket ${local.bucket}`)}`,
    ),
    ...row('Pipelines', list(dags)),
    ...row('Models', list(models)),
    '',
    ...next(local).map((line, index) => typedRow(index === 0 ? 'Next' : '', line)),
    typedRow('', style.dim(`eval "$(${typed('env')})" leads temporal, aws and your own programs here`)),
    ...row('', style.dim('ctrl-C ends all of it; a changed file reloads the worker')),
    '',
  ];
}

function next({ project }: Local): string[] {
  const [dag] = project.dags;
  const [model] = project.models;
  if (dag === undefined && model === undefined)
    return [`write pipelines/first.ts, or in another folder: ${typed('init')}`];
  return [
    ...(dag === undefined ? [] : [typed(`run ${dag} --watch`)]),
    ...(model === undefined
      ? []
      : [typed(`plan ${model}`), typed(`run model-lifecycle --param model=${model} --watch`)]),
  ];
}

function describeEvent(event: LocalEvent, { errorStyle: style }: Output): string {
  const time = style.dim(clock(new Date()));
  switch (event.kind) {
    case 'reloaded':
      return `${time}  ${style.green('reloaded')}  ${[...event.project.dags, ...event.project.models].join(', ')}`;
    case 'not-reloaded':
      return `${time}  ${style.red('not reloaded')}  ${event.message.replace(/\.?$/, '.')} The worker before it goes on.`;
    case 'died':
    case 'lost':
      return `${time}  ${style.red('ended')}  ${event.message}`;
    case 'port-moved':
    case 'reloading':
      return `${time}  ${event.message}`;
  }
}
