// A slip in the name of a command below one that has a default: commander takes it for an argument of the default.

import type { Command } from 'commander';
import { meantName } from './meant-name.js';

/** Answers it as commander answers an unknown command. */
export function refuseUnknownWord(group: Command): void {
  group.hook('preSubcommand', () => {
    const [word] = group.args;
    const names = group.commands.map((command) => command.name());
    if (word === undefined || word.startsWith('-') || names.includes(word)) return;
    group.error(`error: unknown command '${word}': ${meantName(word, names)}`);
  });
}
