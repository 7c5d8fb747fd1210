// `pawl cancel`: asks a run to end in order.

import type { Command } from 'commander';
import { complete } from '../action.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { colourOutcome } from '../outcome.js';

interface Options {
  readonly wait?: boolean;
}

export function cancelCommand(program: Command): void {
  const command = program
    .command('cancel')
    .summary('end a run in order')
    .description('Asks a run to end: its steps are cancelled, its jobs released, its teardowns run.')
    .argument('<run>', 'its workflow id or a part of it')
    .option('-w, --wait', 'wait until it has ended');
  complete<Options>(
    command,
    [
      ['pawl cancel k3f9', 'a part of its id is enough'],
      [
        'pawl cancel model-lifecycle/dev/20261108-143205-k3f9 --wait',
        'answers once its jobs are gone, exit code 1 where it ended otherwise',
      ],
    ],
    async ({ args: [reference], options, output, session }) => {
      const client = await session.client();
      const workflowId = await findRun(client, reference);
      await client.cancel(workflowId);
      const { documentOfEnd, readDocument } = await import('../run-document.js');
      if (options.wait !== true) {
        const document = await output.during(`looking at ${workflowId}`, () => readDocument(session, workflowId));
        output.answer(document, [
          document.outcome === 'running'
            ? `${workflowId} is asked to end; "pawl watch ${workflowId}" shows how.`
            : `${workflowId} has ended: ${colourOutcome(document, output.style)}`,
        ]);
        return;
      }
      const document = await output.during(`waiting for ${workflowId} to end`, () =>
        documentOfEnd(session, workflowId),
      );
      output.answer(document, [`${workflowId} has ended: ${colourOutcome(document, output.style)}`]);
      // It may have been done, or have failed, before it was told.
      return document.outcome === 'cancelled' ? exitCodes.ok : exitCodes.negative;
    },
  );
}
