// `pawl watch`: shows a run step by step until it ends.

import type { Command } from 'commander';
import { complete } from '../action.js';
import { findRun } from '../find-run.js';
import { exitCodeOf } from '../outcome.js';

export function watchCommand(program: Command): void {
  const command = program
    .command('watch')
    .summary('show a run, live')
    .description('Shows a run step by step until it ends. ctrl-C ends the showing, not the run.')
    .argument('[run]', 'its workflow id or a part of it; the newest unless given');
  complete<object>(
    command,
    [
      ['pawl watch', 'the newest run'],
      ['pawl watch model-lifecycle/dev/20261108-143205-k3f9', 'this one'],
      ['pawl watch k3f9 --json', 'where it stands now, without waiting, for a script'],
    ],
    async ({ args: [reference], output, session }) => {
      const workflowId = await findRun(await session.client(), reference);
      const { readDocument } = await import('../run-document.js');
      if (output.json) {
        const document = await readDocument(session, workflowId);
        output.answer(document, []);
        return exitCodeOf(document);
      }
      const url = await session.uiUrl(workflowId);
      if (url !== undefined) output.line(output.style.cyan(url));
      const [{ watchRun }, { endLines }] = await Promise.all([import('../watch-run.js'), import('../end-lines.js')]);
      await watchRun(await session.runs(), workflowId, output);
      const document = await readDocument(session, workflowId);
      for (const line of endLines(document, output)) output.line(line);
      return exitCodeOf(document);
    },
  );
}
