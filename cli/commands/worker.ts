// `pawl worker`: a worker as a process, for a deployment.

import type { Command } from 'commander';
import { completeProcess } from '../action.js';

export function workerCommand(program: Command): void {
  const command = program
    .command('worker')
    .summary('run a worker')
    .description(
      'Runs a worker until it is told to end (SIGTERM), with what pipelines/, tasks/ and models/ (or FILES) define. Temporal by its standard variables (TEMPORAL_ADDRESS, …), S3 by AWS’s.',
    )
    .argument('[files...]', 'files with DAGs, tasks and models, in place of those found by convention');
  completeProcess<object>(
    command,
    [
      ['pawl worker', 'in a project’s folder'],
      ['TEMPORAL_ADDRESS=temporal:7233 PAWL_ENVIRONMENT=prod pawl worker', 'against a cluster'],
    ],
    async ({ args, session }) => {
      await session.local();
      const { workerProcess } = await import('../../workers/worker-process.js');
      await workerProcess(session.root, (args[0] ?? []) as unknown as readonly string[]);
    },
  );
}
