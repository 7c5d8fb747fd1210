// `pawl schedules`: what the models' files ask for, as Temporal Schedules.

import type { Command } from 'commander';
import type { ScheduleChange } from '../../client/compare-schedules.js';
import { complete } from '../action.js';
import type { Style } from '../style.js';
import { table } from '../table.js';

interface ApplyOptions {
  readonly dryRun?: boolean;
}

export function schedulesCommand(program: Command): void {
  const schedules = program
    .command('schedules')
    .summary('what runs by the clock')
    .description('Lists the schedules of this environment, or brings them to what the models’ files say.');
  complete<object>(
    schedules.command('list', { isDefault: true }).description('Lists those that Temporal has.'),
    [['pawl schedules', 'what runs by the clock']],
    async ({ output, session }) => {
      const client = await session.client();
      const { ownSchedules } = await import('../../client/schedules.js');
      const own = await output.during('asking Temporal', () => ownSchedules(client.temporal, client));
      const { style } = output;
      const rows = own.map(({ name, dag, cron, timezone, overlap }) => [name, dag, cron, timezone, overlap]);
      const header = ['NAME', 'RUNS', 'CRON', 'TIME ZONE', 'OVERLAP'].map(style.dim);
      const none = [`No schedules in ${client.environment}: "pawl schedules apply" makes those of the models' files.`];
      output.answer({ schedules: own }, rows.length === 0 ? none : table(rows, { header, columns: output.columns }));
    },
  );
  complete<ApplyOptions>(
    schedules
      .command('apply')
      .description('Brings them to what the models’ files say: creates, changes, deletes. Those of others stay.')
      .option('--dry-run', 'only say what would change'),
    [
      ['pawl schedules apply --dry-run', 'what would change'],
      ['pawl schedules apply', 'changes it; the second time nothing'],
    ],
    async ({ options, output, session }) => {
      const { models } = await session.project();
      const client = await session.client();
      const [{ applySchedules }, { wantedSchedules }] = await Promise.all([
        import('../../client/schedules.js'),
        import('../wanted-schedules.js'),
      ]);
      const dryRun = options.dryRun === true;
      const changes = await output.during('comparing with Temporal', () =>
        applySchedules(client.temporal, client, wantedSchedules(models), { dryRun }),
      );
      const lines = changes.flatMap((change) => describe(change, output.style));
      output.answer(
        { dryRun, changes },
        lines.length === 0 ? ['No model has a schedule, and Temporal has none.'] : lines,
      );
    },
  );
}

function describe(change: ScheduleChange, style: Style): string[] {
  switch (change.kind) {
    case 'unchanged':
      return [style.dim(`  ${change.name} stays`)];
    case 'create':
      return [style.green(`+ ${change.name}  ${change.after.cron} ${change.after.timezone}`)];
    case 'update':
      return [style.yellow(`~ ${change.name}`), ...change.differences.map((difference) => `    ${difference}`)];
    case 'delete':
      return [style.red(`- ${change.name}`)];
  }
}
