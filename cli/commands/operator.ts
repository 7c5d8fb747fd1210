// `pawl promote|pause|resume|abort MODEL`: an operator's word to the rollout that is under way.

import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { SystemError } from '../../dag/failures.js';
import { complete } from '../action.js';
import { whoami } from '../whoami.js';

interface Options {
  readonly version?: number;
  readonly reason: string;
}

const words = [
  [
    'promote',
    'make the challenger champion now',
    'Makes the challenger champion at once, without the weights that are left.',
  ],
  [
    'pause',
    'hold a rollout at its weight',
    'Holds a rollout at the weight that it has. It still rolls back where the challenger fails.',
  ],
  ['resume', 'let a paused rollout go on', 'Lets a paused rollout go on.'],
  ['abort', 'take a challenger off', 'Takes the challenger off; the champion stays.'],
] as const;

export const versionNumber = (text: string): number => {
  const value = Number(text.replace(/^v/, ''));
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be the number of a version.');
  return value;
};

export function operatorCommands(program: Command): void {
  for (const [word, summary, description] of words) {
    const command = program
      .command(word)
      .summary(summary)
      .description(description)
      .argument('<model>', 'whose rollout')
      .option('--version <number>', 'the version that is meant; refused for another', versionNumber)
      .requiredOption('--reason <text>', 'why; Temporal’s history of the rollout keeps it');
    complete<Options>(
      command,
      [[`pawl ${word} support-bot --version 42 --reason "…"`, 'the version makes sure that both mean the same']],
      async ({ args: [model = ''], options, output, session }) => {
        const rollout = (await session.client()).rollout(model);
        const { version, reason } = options;
        if (version === undefined) {
          const { operation } = await output.during('asking the rollout', () => rollout.state());
          const meant = operation?.version;
          throw new SystemError(
            'InvalidInput',
            meant == null
              ? `Nothing is being rolled out for ${model} at the moment: there is nothing to ${word}.`
              : `Version ${meant} of ${model} is being rolled out: pawl ${word} ${model} --version ${meant} --reason "…" says that you mean it.`,
          );
        }
        const said = await output.during(`telling the rollout of ${model}`, () =>
          rollout.say(word, { version, by: whoami(), reason }),
        );
        output.answer({ model, version, said }, [said]);
      },
    );
  }
}
