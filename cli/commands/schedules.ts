// `pawl schedules`: what the models' files ask for, as Temporal Schedules.

import type { Command } from 'commander';
import type { ScheduleChange } from '../../client/compare-schedules.js';
import type { ScheduleStatus } from '../../client/schedule-list.js';
import { SystemError } from '../../dag/failures.js';
import { complete } from '../action.js';
import { localTime } from '../format.js';
import { meantName } from '../meant-name.js';
import type { Style } from '../style.js';
import { table } from '../table.js';
import { refuseUnknownWord } from '../unknown-word.js';

interface ApplyOptions {
  readonly dryRun?: boolean;
}

export function schedulesCommand(program: Command): void {
  const schedules = program
    .command('schedules')
    .summary('what runs by the clock')
    .description('Lists the schedules of this environment, or brings them to what the models’ files say.');
  refuseUnknownWord(schedules);
  complete<object>(
    schedules.command('list', { isDefault: true }).description('Lists those that Temporal has.'),
    [
      ['pawl schedules', 'what runs by the clock, when next, and what did not run because another was under way'],
      ['pawl schedules --json', 'the same for a script'],
    ],
    async ({ output, session }) => {
      const client = await session.client();
      const { listSchedules } = await import('../../client/schedule-list.js');
      const found = await output.during('asking Temporal', () => listSchedules(client.temporal, client));
      const { style } = output;
      const rows = found.map((status) => rowOf(status, style));
      const header = ['NAME', 'OWNER', 'RUNS', 'CRON', 'TIME ZONE', 'NEXT', 'OVERLAP', 'NOT RUN', 'UNDER WAY'].map(
        style.dim,
      );
      const none = [`No schedules in ${client.environment}: "pawl schedules apply" makes those of the models' files.`];
      output.answer(
        { schedules: found.map(({ schedule, ...stands }) => ({ ...schedule, ...stands })) },
        rows.length === 0 ? none : table(rows, { header, columns: output.columns }),
      );
    },
  );
  complete<object>(
    schedules
      .command('run')
      .description('Starts the next run of one now; where one is under way it waits for that.')
      .argument('<name>', 'as "pawl schedules" lists it: a model’s name'),
    [['pawl schedules run support-bot', 'without waiting for the night']],
    async ({ args: [name = ''], output, session }) => {
      const client = await session.client();
      const [{ listSchedules }, { runScheduleNow }] = await Promise.all([
        import('../../client/schedule-list.js'),
        import('../../client/schedules.js'),
      ]);
      await output.during('telling Temporal', async () => {
        try {
          await runScheduleNow(client.temporal, client, name);
        } catch (error) {
          if (!(error instanceof SystemError && error.type === 'NotFound')) throw error;
          const names = (await listSchedules(client.temporal, client)).map(({ schedule }) => schedule.name);
          throw new SystemError(
            'NotFound',
            `No schedule is named ${JSON.stringify(name)} in ${client.environment}: ${meantName(name, names)}`,
            { cause: error },
          );
        }
      });
      output.answer({ name }, [`The next run of ${name} begins: "pawl runs --open" lists it.`]);
    },
  );
  complete<ApplyOptions>(
    schedules
      .command('apply')
      .description(
        'Brings those of the owner "models" to what the models’ files say: creates, changes, deletes. Those of other owners, which programs apply with applySchedules, stay.',
      )
      .option('--dry-run', 'only say what would change'),
    [
      ['pawl schedules apply --dry-run', 'what would change'],
      ['pawl schedules apply', 'changes it; the second time nothing'],
    ],
    async ({ options, output, session }) => {
      const [{ models }, startables] = await Promise.all([session.project(), session.startables()]);
      const { temporal, environment, taskQueue } = await session.client();
      const [{ applySchedules }, { modelSchedulesOwner, wantedSchedules }] = await Promise.all([
        import('../../client/schedules.js'),
        import('../wanted-schedules.js'),
      ]);
      const dryRun = options.dryRun === true;
      const changes = await output.during('comparing with Temporal', () =>
        applySchedules(temporal, wantedSchedules(models, startables), {
          environment,
          taskQueue,
          owner: modelSchedulesOwner,
          dryRun,
        }),
      );
      const lines = changes.flatMap((change) => describe(change, output.style));
      output.answer(
        { dryRun, changes },
        lines.length === 0 ? ['No model has a schedule, and Temporal has none.'] : lines,
      );
    },
  );
}

function rowOf({ schedule, owner, nextAt, paused, running, skipped, missed }: ScheduleStatus, style: Style): string[] {
  const { name, dag, cron, timezone, overlap } = schedule;
  const next = nextAt === null ? style.yellow(paused ? 'paused' : 'never') : localTime(new Date(nextAt));
  const notRun = [skipped > 0 ? `${skipped} skipped` : '', missed > 0 ? `${missed} missed` : ''].filter(Boolean);
  return [name, owner, dag, cron, timezone, next, overlap, style.yellow(notRun.join(', ')), running.join(', ')];
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
