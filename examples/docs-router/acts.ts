// The story, act by act. An act that does not end as it is told throws an `OtherEnding`.

import { z } from 'zod';
import type { RunRecord } from '../../activities/engine/run-record-schema.js';
import { rolloutOutcome, type RolloutOutcome } from '../../activities/schemas/rollout-outcome.js';
import { verdict } from '../../activities/schemas/verdict.js';
import { duration } from '../../cli/format.js';
import { modelLifecycle } from '../../pipelines/model-lifecycle.js';
import { followRun } from './follow-run.js';
import { killAndReplaceWorker, type TrainingJob } from './kill-worker.js';
import { uploadShuffled } from './lake.js';
import { pawl } from './pawl.js';
import { count, model, type World } from './world.js';

export class OtherEnding extends Error {
  override readonly name = 'OtherEnding';
}

interface LifecycleRun {
  /** The last part of its workflow id. */
  readonly id: string;
  readonly reason: string;
  readonly overrides: Record<string, unknown>;
  readonly expected: 'promoted' | 'rejected' | 'rolled-back';
}

/** Runs the lifecycle, shows what it found, and checks that it ended as it should. */
async function runLifecycle(
  world: World,
  { id, reason, overrides, expected }: LifecycleRun,
  onLook?: Parameters<typeof followRun>[2],
): Promise<RunRecord> {
  const { screen, client } = world;
  const run = await client.start(modelLifecycle, { model, overrides }, { id, reason, by: 'demo' });
  screen.line(`started ${screen.style.bold(run.workflowId)}`);
  const record = await followRun(world, run.workflowId, onLook);
  showVerdict(world, record);
  showRollout(world, record);
  const { outcome = record.status, error } = record;
  if (outcome !== expected)
    throw new OtherEnding(
      `${run.workflowId} was to end ${expected}, and ended ${outcome}${error === undefined ? '' : `: ${error.message}`}`,
    );
  const good = expected === 'promoted' ? screen.style.green : screen.style.yellow;
  screen.line(
    `${screen.style.bold(good(outcome))}${versionOf(record) === undefined ? '' : ` · version ${versionOf(record)}`}`,
  );
  return record;
}

const outputOf = (record: RunRecord, step: string): unknown => {
  const output = record.steps[step]?.output;
  return output !== undefined && 'value' in output ? output.value : undefined;
};

const versionOf = (record: RunRecord): number | undefined =>
  (outputOf(record, 'register') as { version: number } | undefined)?.version;

function showVerdict({ screen }: World, record: RunRecord): void {
  const judged = verdict.safeParse(outputOf(record, 'gate'));
  if (!judged.success) return;
  const { green, red, dim } = screen.style;
  const number = (value: number | null): string => (value === null ? '' : String(Number(value.toFixed(3))));
  const colours = { pass: green, fail: red, missing: red, 'not-applicable': dim };
  screen.table(
    ['gate', 'value', 'champion', 'bound', 'samples', 'rule'],
    judged.data.rules.map(({ rule, result, value, baseline, bound, samples }) => [
      colours[result](result),
      number(value),
      number(baseline),
      number(bound),
      number(samples),
      rule,
    ]),
  );
  if (!judged.data.passed) screen.paragraph(judged.data.summary);
}

function showRollout({ screen }: World, record: RunRecord): void {
  const rollout = rolloutOutcome.safeParse(outputOf(record, 'canary-deploy'));
  if (!rollout.success) return;
  const { green, red } = screen.style;
  if (rollout.data.weights.length > 0)
    screen.table(
      ['canary', 'verdict', 'requests', 'errors', ''],
      rollout.data.weights.map(({ weightPercent, verdict: word, requests, errors, explanation }) => [
        `${weightPercent} %`,
        word === 'pass' ? green(word) : red(word),
        count(requests),
        count(errors),
        explanation,
      ]),
    );
  screen.paragraph(rollout.data.reason);
}

/** A first version, so that the others have a champion to beat. */
export async function baseline(world: World): Promise<void> {
  world.screen.heading(
    'Before · a baseline',
    'A short recipe. There is no champion yet: a probe stands in for the canary.',
  );
  await runLifecycle(world, {
    id: 'baseline',
    reason: 'a first version',
    overrides: { train: { base: world.base, recipe: { epochs: 0.75 } } },
    expected: 'promoted',
  });
  world.startTraffic();
  world.screen.line('users arrive: 12 requests a second through the gateway, from now on; three in ten are long');
}

/** How far the training is when its worker is killed. */
const killAtShare = 0.2;

const trainingProgress = z.object({ step: z.number(), steps: z.number() });

export async function goodRecipe(world: World): Promise<void> {
  world.screen.heading(
    'Act 1 · a good recipe',
    'While it trains the worker is killed with -9, and a new one takes over.',
  );
  const failedBefore = await failedRequests(world);
  let job: TrainingJob | undefined;
  const record = await runLifecycle(
    world,
    {
      id: 'good-recipe',
      reason: 'more training',
      overrides: { train: { base: world.base } },
      expected: 'promoted',
    },
    async ({ steps, progress }) => {
      const isTraining = steps.some(({ id, status }) => id === 'fine-tune' && status === 'running');
      const at = progress.map((said) => trainingProgress.safeParse(said.progress)).find(({ success }) => success)?.data;
      if (job === undefined && isTraining && at !== undefined && at.step >= at.steps * killAtShare)
        job = await killAndReplaceWorker(world);
    },
  );
  if (job === undefined) throw new OtherEnding('the training was over before the worker could be killed in it');
  const submissions = record.steps['fine-tune']?.attempts;
  world.screen.line(
    `the training job had one epoch and one process from its start to its end; the step's attempts: ${submissions ?? 1}`,
  );
  const failed = (await failedRequests(world)) - failedBefore;
  if (failed > 0) throw new OtherEnding(`${failed} users saw an error while a good version was promoted`);
}

export async function shuffledLabels(world: World): Promise<void> {
  world.screen.heading(
    'Act 2 · shuffled labels',
    'The same documents under folders that say nothing: a mistake upstream.',
  );
  await uploadShuffled(world.systems.objects.bucket('lake'), world.sections);
  await runLifecycle(world, {
    id: 'shuffled-labels',
    reason: 'new data from upstream',
    overrides: { data: { source: 's3://lake/shuffled/' }, train: { base: world.base, recipe: { maxSteps: 30 } } },
    expected: 'rejected',
  });
}

export async function shortContext(world: World): Promise<void> {
  const { screen } = world;
  screen.heading(
    'Act 3 · a base model with a short context',
    'As accurate as the champion on the test set and fine in its probe; but three in ten live prompts are longer than it can read.',
  );
  const before = await failedRequests(world);
  const firstFailure = world.traffic?.failures.length ?? 0;
  const record = await runLifecycle(world, {
    id: 'short-context',
    reason: 'a base model that is cheaper to serve',
    overrides: { train: { base: world.shortBase } },
    expected: 'rolled-back',
  });
  const rollout = rolloutOutcome.parse(outputOf(record, 'canary-deploy'));
  const seen = (await failedRequests(world)) - before;
  const first = world.traffic?.failures[firstFailure];
  const offAtMs = await takenOffAt(world, rollout);
  if (first === undefined || seen === 0)
    throw new OtherEnding('no user saw an error, so it was not the canary that found the fault');
  screen.line(
    `${screen.style.bold(`${seen} users saw an error`)}; from the first of them to 0 % it took ${screen.style.bold(duration(offAtMs - first.atMs))}`,
  );
}

/** When the endpoint object said that the challenger gets nothing more. */
async function takenOffAt({ systems }: World, { version, startedAt }: RolloutOutcome): Promise<number> {
  for await (const { change, challenger } of systems.endpoints.history(model))
    if (change.kind === 'abort' && challenger === null && change.at >= startedAt) return Date.parse(change.at);
  throw new OtherEnding(`the history of the endpoint does not say when version ${version ?? ''} was taken off`);
}

/** Answers of 500 and above that users got, as the gateway counts. */
async function failedRequests({ router }: World): Promise<number> {
  return (await router.requests(model))?.failed ?? 0;
}

export async function rollBack(world: World): Promise<void> {
  world.screen.heading(
    'Act 4 · a rollback',
    'Typed as an engineer would, and the answer to "what was live when, and who did it?"',
  );
  await pawl(world, ['rollback', model, '--reason', 'support says that answers got worse']);
  await pawl(world, ['history', model]);
}
