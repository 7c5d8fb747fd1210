// `pawl runs`: lists runs, newest first.

import { InvalidArgumentError, type Command } from 'commander';
import type { PawlClient } from '../../client/client.js';
import type { RunSummary } from '../../client/list-runs.js';
import { complete } from '../action.js';
import { awaitedAdmission } from '../awaited-admission.js';
import { duration, localTime } from '../format.js';
import { colourOutcome } from '../outcome.js';
import { printable, wrap } from '../style.js';
import { table } from '../table.js';

interface Options {
  readonly dag?: string;
  readonly model?: string;
  readonly outcome?: string;
  readonly open?: boolean;
  readonly limit: number;
}

export const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number above 0.');
  return value;
};

export function runsCommand(program: Command): void {
  const command = program
    .command('runs')
    .summary('list runs')
    .description('Lists runs, newest first. A run that was just started appears after a second.')
    .option('--dag <name>', 'only of this pipeline or task')
    .option('--model <name>', 'only about this model')
    .option('--outcome <word>', 'only with this outcome: promoted, rejected, rolled-back, failed, …')
    .option('--open', 'only those that have not ended')
    .option('-n, --limit <count>', 'at most so many', count, 20);
  complete<Options>(
    command,
    [
      ['pawl runs', 'the last twenty'],
      ['pawl runs --model support-bot --outcome rejected', 'what the gate stopped'],
      ['pawl runs --open --json', 'for a script'],
    ],
    async ({ options, output, session }) => {
      const client = await session.client();
      const { dag, model, outcome, open, limit } = options;
      const runs = await output.during('asking Temporal', async () => {
        const found: RunSummary[] = [];
        for await (const run of client.list({
          limit,
          ...(dag !== undefined && { dag }),
          ...(model !== undefined && { model }),
          ...(outcome !== undefined && { outcome }),
          ...(open === true && { open }),
        }))
          found.push(run);
        return Promise.all(found.map(async (run) => ({ ...run, waitsFor: await awaited(client, run) })));
      });
      const { style } = output;
      const now = Date.now();
      const rows = runs.map((run) => {
        const tookMs = (run.endedAt === null ? now : Date.parse(run.endedAt)) - Date.parse(run.startedAt);
        return [
          run.workflowId,
          colourOutcome({ dag: run.dag, outcome: run.outcome ?? run.status }, style),
          run.model ?? '',
          run.trigger ?? '',
          localTime(new Date(run.startedAt)),
          duration(tookMs),
        ];
      });
      const header = ['RUN', 'OUTCOME', 'MODEL', 'TRIGGER', 'STARTED', 'TOOK'].map(style.dim);
      const isNarrowed = dag !== undefined || model !== undefined || outcome !== undefined || open === true;
      const none = isNarrowed
        ? [`No run in ${client.environment} is like that: "pawl runs" lists all.`]
        : [`No runs in ${client.environment} yet: start one with "pawl run".`];
      const waiting = runs.flatMap(({ workflowId, waitsFor }) =>
        waitsFor === null ? [] : wrap(style.yellow(`${workflowId} ${printable(waitsFor)}`), output.columns),
      );
      output.answer(
        { runs },
        runs.length === 0
          ? none
          : [...table(rows, { header, columns: output.columns }), ...(waiting.length === 0 ? [] : ['', ...waiting])],
      );
    },
  );
}

/** Why an open run does not begin, where a worker has said. */
async function awaited({ temporal }: PawlClient, { workflowId, runId, status }: RunSummary): Promise<string | null> {
  if (status !== 'RUNNING') return null;
  // It may have been deleted since it was listed.
  const described = await temporal.workflow
    .getHandle(workflowId, runId)
    .describe()
    .catch(() => undefined);
  return (described && awaitedAdmission(described, new Date())) ?? null;
}
