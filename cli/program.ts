// All commands of `pawl`, with their help. Each loads what it needs only when it runs, so that help and mistakes are answered at once.

import { readFileSync } from 'node:fs';
import { Command, type CommanderError } from 'commander';
import { cancelCommand } from './commands/cancel.js';
import { devCommand } from './commands/dev.js';
import { doctorCommand } from './commands/doctor.js';
import { endpointsCommand } from './commands/endpoints.js';
import { envCommand } from './commands/env.js';
import { gatewayCommand } from './commands/gateway.js';
import { historyCommand } from './commands/history.js';
import { initCommand } from './commands/init.js';
import { logsCommand } from './commands/logs.js';
import { operatorCommands } from './commands/operator.js';
import { planCommand } from './commands/plan.js';
import { reconcileCommand } from './commands/reconcile.js';
import { rollbackCommand } from './commands/rollback.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { schedulesCommand } from './commands/schedules.js';
import { setupCommand } from './commands/setup.js';
import { trafficCommand } from './commands/traffic.js';
import { versionsCommand } from './commands/versions.js';
import { watchCommand } from './commands/watch.js';
import { workerCommand } from './commands/worker.js';
import { exitCodes } from './exit-codes.js';

const groups = [
  ['Start here:', [initCommand, devCommand, envCommand]],
  ['Runs:', [planCommand, runCommand, runsCommand, watchCommand, logsCommand, cancelCommand, schedulesCommand]],
  [
    'Production:',
    [
      endpointsCommand,
      versionsCommand,
      historyCommand,
      operatorCommands,
      rollbackCommand,
      trafficCommand,
      reconcileCommand,
    ],
  ],
  ['Operation:', [doctorCommand, setupCommand, workerCommand, gatewayCommand]],
] as const;

/** From source and from `dist/` alike: the first package.json above. */
function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // It lies one folder further up.
    }
  }
  return 'unknown';
}

export function createProgram(): Command {
  const program = new Command('pawl')
    .description(
      'The life of a machine-learned model as durable workflows: every run moves production forward one notch, or leaves it as it was.',
    )
    .version(version(), '-v, --version')
    .option('-C, --cwd <folder>', "the project's folder")
    .helpCommand(false)
    // Otherwise the --version of `pawl promote` would be taken for that of pawl itself.
    .enablePositionalOptions()
    .showHelpAfterError('(--help shows what there is, with examples)')
    .exitOverride((error: CommanderError) => process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage))
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the run failed or the answer is no, 2 the command is wrong, 3 a system is away.\nA first project: pawl init my-project',
    );
  for (const [title, commands] of groups) {
    program.commandsGroup(title);
    for (const add of commands) add(program);
  }
  return program;
}
