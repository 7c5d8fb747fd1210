// `pawl rollback MODEL`: an earlier version becomes champion again.

import type { Command } from 'commander';
import { complete } from '../action.js';
import { exitCodes } from '../exit-codes.js';
import { colourOutcome, exitCodeOf } from '../outcome.js';
import { noEndpoint } from '../no-endpoint.js';
import { newRunId } from '../run-id.js';
import { whoami } from '../whoami.js';
import { versionNumber } from './operator.js';

interface Options {
  readonly to?: number;
  readonly reason: string;
  readonly dryRun?: boolean;
}

export function rollbackCommand(program: Command): void {
  const command = program
    .command('rollback')
    .summary('go back to an earlier version')
    .description(
      'Makes an earlier version champion again, the previous one unless another is named. While a challenger is on trial it is taken off, and the champion stays. (Temporal is down? pawl traffic MODEL --champion-only.)',
    )
    .argument('<model>', 'whose endpoint')
    .option('--to <version>', 'the version to go back to', versionNumber)
    .requiredOption('--reason <text>', 'why; it stays in the history')
    .option('--dry-run', 'say what would be done, and do nothing');
  complete<Options>(
    command,
    [
      ['pawl rollback support-bot --reason "answers in French"', 'to the previous version'],
      ['pawl rollback support-bot --to 41 --reason "…" --dry-run', 'what would be done'],
    ],
    async ({ args: [model = ''], options, output, session }) => {
      const [{ rollback }, { rolloutOutcome }, { documentOfEnd }] = await Promise.all([
        import('../../activities/rollback.js'),
        import('../../activities/schemas/rollout-outcome.js'),
        import('../run-document.js'),
      ]);
      const client = await session.client();
      const { endpoints, environment } = await session.systems();
      // Where the bucket cannot be read from here, the rollback itself may still go.
      const found = await endpoints.read(model).catch(() => 'unknown' as const);
      if (found === undefined) throw await noEndpoint(endpoints, model, environment);
      const { to, reason, dryRun } = options;
      const params = { model, reason, ...(to !== undefined && { toVersion: to }), ...(dryRun === true && { dryRun }) };
      const document = await output.during(`rolling ${model} back`, async () =>
        documentOfEnd(session, await client.start(rollback, params, { id: newRunId(new Date()), by: whoami() })),
      );
      const { error } = document;
      const outcome = rolloutOutcome.safeParse(document.output);
      const word = colourOutcome(document, output.style);
      output.answer(
        document,
        error !== null
          ? []
          : outcome.success
            ? [
                `${word}  ${outcome.data.reason}`,
                `${model} serves ${outcome.data.champion === null ? 'no version' : `version ${outcome.data.champion}`}.`,
              ]
            : [`${word}  nothing was done${dryRun === true ? ': it was a dry run' : ''}.`],
      );
      if (error === null) return exitCodeOf(document);
      if (!output.json) output.note(`${output.errorStyle.red(`${document.outcome}:`)} ${error.message}`);
      return exitCodes.negative;
    },
  );
}
