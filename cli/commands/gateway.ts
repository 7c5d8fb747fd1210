// `pawl gateway`: a gateway as a process, for a deployment.

import type { Command } from 'commander';
import { completeProcess } from '../action.js';

export function gatewayCommand(program: Command): void {
  const command = program
    .command('gateway')
    .summary('run a gateway')
    .description(
      'Runs a gateway until it is told to end: it sends users’ requests to the versions of a model, by weight. Its settings are the variables PAWL_GATEWAY_PORT, PAWL_GATEWAY_ADMIN_PORT, PAWL_GATEWAY_TOKEN, …; S3 by the standard AWS ones.',
    );
  completeProcess<object>(
    command,
    [['PAWL_ENVIRONMENT=prod PAWL_BUCKET=pawl pawl gateway', 'ports 8800 for users, 8801 for the worker']],
    async ({ session }) => {
      const { environment, bucket } = await session.settings();
      process.env['PAWL_ENVIRONMENT'] ??= environment;
      process.env['PAWL_BUCKET'] ??= bucket;
      await import('../../gateway/main.js');
    },
  );
}
