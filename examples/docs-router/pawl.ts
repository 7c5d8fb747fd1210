// Runs the `pawl` command as a person would type it in the project's folder, and shows what it answers.

import { startGuardedProcess } from '../../deploy/embedded/child-process.js';
import { pawlProgram } from '../../deploy/local/pawl-program.js';
import { root, type World } from './world.js';

/** Throws where it ends with another exit code than 0. */
export async function pawl({ screen, signal }: World, args: readonly string[]): Promise<void> {
  const typed = args.map((arg) => (/^[\w./-]+$/.test(arg) ? arg : JSON.stringify(arg))).join(' ');
  screen.line(screen.style.bold(`$ pawl ${typed}`));
  const lines: string[] = [];
  const command = await startGuardedProcess({
    ...pawlProgram('cli/main', args),
    cwd: root,
    onLine: (line) => lines.push(line),
  });
  const stop = (): void => void command.stop();
  signal.addEventListener('abort', stop);
  const ending = await screen.during(`pawl ${args[0] ?? ''}`, () => command.waitUntilEnded());
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  screen.more(lines);
  if (ending !== 'exit code 0') throw new Error(`pawl ${typed} ended with ${ending}`);
}
