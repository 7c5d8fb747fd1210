// `pawl logs RUN [STEP]`: what the job of a step has written.

import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { complete } from '../action.js';
import { findRun } from '../find-run.js';
import { printable } from '../style.js';

interface Options {
  readonly follow?: boolean;
  readonly all?: boolean;
}

const tailBytes = 64 * 1024;
const lookEveryMs = 1_000;

export function logsCommand(program: Command): void {
  const command = program
    .command('logs')
    .summary("what a step's job wrote")
    .description(
      'Shows the log of the job of a step: from its host while it is there, afterwards the last MiB, which is kept in the bucket.',
    )
    .argument('[run]', 'its workflow id or a part of it; the newest unless given')
    .argument('[step]', 'such as fine-tune; the one with a job that began last unless given')
    .option('-f, --follow', 'go on until the job has ended')
    .option('--all', 'from its beginning, in place of the last 64 KiB');
  complete<Options>(
    command,
    [
      ['pawl logs', 'of the newest run'],
      ['pawl logs k3f9 fine-tune --follow', 'while it trains'],
      ['pawl logs k3f9 evaluate --all > evaluate.log', 'all of it'],
    ],
    async ({ args: [reference, step], options, output, session }) => {
      const [systems, runs, { findJob, JobLog }] = await Promise.all([
        session.systems(),
        session.runs(),
        import('../job-log.js'),
      ]);
      const workflowId = await findRun(runs.client, reference);
      const run = await runs.read(workflowId);
      const first = await findJob(systems, run, step);
      const log = new JobLog(systems, run, {
        step: first.step,
        tailBytes: options.all === true ? Infinity : tailBytes,
      });
      const { bold, dim } = output.errorStyle;
      const place = ({ current, released }: typeof first): string =>
        `${current.compute} · host ${current.host} · epoch ${current.epoch}${released ? ' · released' : ''}`;
      if (!output.json) output.note(`${bold(`${workflowId} ${first.step}`)}  ${dim(place(first))}`);
      let text = '';
      let partial = '';
      let job = first;
      for (;;) {
        const read = await log.read();
        if (read.job.current.epoch !== job.current.epoch && !output.json) output.note(dim(place(read.job)));
        job = read.job;
        text += output.json ? read.text : '';
        const lines = (partial + read.text).split('\n');
        partial = lines.pop() ?? '';
        for (const line of lines) output.line(printable(line));
        if (options.follow !== true || job.released) break;
        await sleep(lookEveryMs);
      }
      if (partial !== '') output.line(printable(partial));
      const { compute, host, epoch } = job.current;
      if (output.json)
        output.answer({ workflowId, step: job.step, compute, host, epoch, released: job.released, text }, []);
    },
  );
}
