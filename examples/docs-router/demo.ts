// `npm run demo`: a model's life on real servers, on this machine alone. One good recipe is promoted, two bad ones are stopped.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { duration } from '../../cli/format.js';
import type { Local } from '../../deploy/local/start-local.js';
import { baseline, goodRecipe, OtherEnding, rollBack, shortContext, shuffledLabels } from './acts.js';
import { findOut, type Findings } from './findings.js';
import { Screen } from './screen.js';
import { count, model, openWorld, root, type World } from './world.js';

interface Options {
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly base?: string;
}

const program = new Command('demo')
  .description(
    'Trains, judges, canaries and promotes a small model on real servers of this machine, and stops two bad ones.',
  )
  .option('--json', 'say everything on standard error, and one line of JSON on standard output at the end')
  .option('--keep', 'leave the servers running at the end, until ctrl-C')
  .option('--base <model>', 'a base model of the hub or a folder, in place of the one that the demo builds');

const told = [
  ['baseline', 'promoted', 1],
  ['good-recipe', 'promoted', 2],
  ['shuffled-labels', 'rejected', null],
  ['short-context', 'rolled-back', 3],
  ['rollback', 'rolled-back', 1],
] as const;

async function play(world: World): Promise<Findings> {
  await baseline(world);
  await goodRecipe(world);
  await shuffledLabels(world);
  await shortContext(world);
  await rollBack(world);
  const { traffic } = world;
  await world.screen.during('waiting for the last answers', async () => traffic?.stop());
  const findings = await findOut(world, told.length);
  show(world, findings);
  check(world, findings);
  return findings;
}

function show({ screen, local }: World, { runs, requests, champion }: Findings): void {
  const { bold, green, yellow, cyan } = screen.style;
  screen.heading('What it came to', 'As Temporal, the registry, the endpoint and the gateway tell it.');
  screen.table(
    ['run', 'outcome', 'version', 'took', 'workflow'],
    runs.map(({ name, outcome, modelVersion, durationMs, workflowId }) => [
      bold(name),
      outcome === 'promoted' ? green(outcome) : yellow(outcome ?? 'open'),
      modelVersion === null ? '–' : String(modelVersion),
      duration(durationMs),
      workflowId,
    ]),
  );
  const { uiUrl = '', namespace } = local.temporal;
  screen.more([
    '',
    `users      ${bold(count(requests.total))} requests, ${count(requests.failed)} answered with an error, ${bold(count(requests.lost))} lost`,
    `champion   ${bold(`version ${champion ?? 'none'}`)} of ${model}`,
    `runs       ${cyan(`${uiUrl}/namespaces/${namespace}/workflows`)}`,
  ]);
}

/** The story has to be true: every run ended as told, and no request was lost. */
function check({ traffic }: World, { runs, requests, champion }: Findings): void {
  const found = runs.map(({ name, outcome, modelVersion }) => [name, outcome, modelVersion]);
  if (JSON.stringify(found) !== JSON.stringify(told))
    throw new OtherEnding(`the runs were to end as ${JSON.stringify(told)}, and ended as ${JSON.stringify(found)}`);
  if (champion !== 1) throw new OtherEnding(`the rollback was to make version 1 champion again, and it is ${champion}`);
  if (requests.lost !== 0) throw new OtherEnding(`${requests.lost} requests got no answer from the gateway`);
  if (requests.total !== traffic?.sent)
    throw new OtherEnding(`users sent ${traffic?.sent ?? 0} requests, and ${requests.total} reached the gateway`);
}

async function main({ json = false, keep = false, base }: Options): Promise<number> {
  const screen = new Screen(json ? process.stderr : process.stdout);
  const stopping = new AbortController();
  let local: Local | undefined;
  const interrupt = (): void => {
    stopping.abort(new Error('interrupted'));
    // Servers are only being found or built; those that run already end with their owner.
    if (local === undefined) process.exit(130);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt);
  // A terminal that was closed takes no more words, and everything has to be stopped all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  let world: World | undefined;
  let findings: Findings | undefined;
  try {
    world = await openWorld({ screen, signal: stopping.signal, base: baseOf(base) }, (started) => {
      local = started;
      void started.broken.then((sentence) => stopping.abort(new Error(sentence)));
    });
    findings = await play(world);
    if (keep) {
      tellJson(json, findings);
      await keepRunning(world, stopping.signal);
    }
  } catch (error) {
    const reason: unknown = stopping.signal.aborted ? stopping.signal.reason : error;
    const sentence = reason instanceof Error ? reason.message : String(reason);
    screen.line(screen.style.red(error instanceof OtherEnding ? `the story went otherwise: ${sentence}` : sentence));
    if (process.env['PAWL_DEBUG'] === '1') console.error(error);
    if (local !== undefined) screen.more([`logs: ${root}.pawl/logs/`]);
  }
  await screen.during('stopping', async () => {
    await world?.close().catch(() => undefined);
    await local?.stop();
  });
  screen.line(`stopped everything after ${duration(screen.elapsedMs)}`);
  screen.close();
  if (findings === undefined) return 1;
  if (!keep) tellJson(json, findings);
  return 0;
}

function tellJson(json: boolean, findings: Findings): void {
  if (json) process.stdout.write(`${JSON.stringify(findings)}\n`);
}

async function keepRunning({ screen, local }: World, signal: AbortSignal): Promise<void> {
  screen.more([
    '',
    `Everything runs on: ${screen.style.cyan(local.temporal.uiUrl ?? '')}, users' door ${local.gatewayUrl}/models/${model}/v1/completions`,
  ]);
  screen.more([`In another terminal:  npx tsx cli/main.ts endpoints -C examples/docs-router`, 'ctrl-C stops it.']);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

/** A folder is told from a name of the hub by being there. */
const baseOf = (base: string | undefined): string | undefined =>
  base !== undefined && existsSync(base) ? resolve(base) : base;

process.exitCode = await main(program.parse().opts<Options>());
