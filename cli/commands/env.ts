// `pawl env`: what leads a shell, and whatever is started from it, to the servers of `pawl dev`.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import { complete } from '../action.js';

export function envCommand(program: Command): void {
  const command = program
    .command('env')
    .summary('variables for other tools')
    .description(
      'Prints lines for a shell that lead Temporal’s and AWS’s own tools, and programs with the SDK, to the servers of the pawl dev that runs in the project’s folder.',
    );
  complete<object>(
    command,
    [
      ['eval "$(pawl env)"', 'in this shell; then temporal workflow list, aws s3 ls, connectPawl()'],
      ['pawl env --json', 'the same for a program'],
    ],
    async ({ output, session }) => {
      const [{ findLocal }, { misleading }, { shellWord }] = await Promise.all([
        import('../../deploy/local/find-local.js'),
        import('../../deploy/local/local-environment.js'),
        import('../../deploy/local/shell-word.js'),
      ]);
      const found = await findLocal(session.root);
      if (found === undefined)
        throw new SystemError(
          'Unavailable',
          `No pawl dev runs in ${session.root}: start it there, or name the folder where one runs with -C.`,
        );
      const { environment } = found;
      const unset = misleading(environment);
      output.answer({ root: found.root, environment, unset }, [
        ...(unset.length === 0 ? [] : [`unset ${unset.join(' ')}`]),
        ...Object.entries(environment).map(([name, value]) => `export ${name}=${shellWord(value)}`),
      ]);
    },
  );
}
