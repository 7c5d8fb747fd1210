// What every command has in common: --json, the project's folder, examples in its help, and one sentence for an error.

import type { Command } from 'commander';
import { exitCodes, tell, type ExitCode } from './exit-codes.js';
import { Output } from './output.js';
import type { Session } from './session.js';

export interface Invocation<Options> {
  /** Positional arguments; absent ones are undefined. */
  readonly args: readonly (string | undefined)[];
  readonly options: Options;
  readonly output: Output;
  readonly session: Session;
}

interface CommonOptions {
  readonly json?: boolean;
  readonly cwd?: string;
}

type Act<Options> = (invocation: Invocation<Options>) => Promise<ExitCode | void>;

/** Completes a command. `examples`: command lines with what each does. */
export function complete<Options extends object>(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
  act: Act<Options>,
): void {
  completeProcess(command.option('--json', 'answer with one JSON document'), examples, act);
}

/** Completes a command that answers nothing: it runs until it is told to end, and writes a log. */
export function completeProcess<Options extends object>(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
  act: Act<Options>,
): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`.trimEnd());
  command
    .option('-C, --cwd <folder>', "the project's folder")
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
    .action(async (...given: unknown[]) => {
      const invoked = given.at(-1) as Command;
      // -C may stand before the command, too.
      const options: Options & CommonOptions = { ...invoked.optsWithGlobals(), ...invoked.opts() };
      const args = given.slice(0, -2) as (string | undefined)[];
      const output = new Output(options.json === true);
      // Not process.exit at once: what was written to a pipe must get there.
      process.exitCode = await invoke(act, { args, options, output });
    });
}

async function invoke<Options extends CommonOptions>(
  act: Act<Options>,
  given: Omit<Invocation<Options>, 'session'>,
): Promise<ExitCode> {
  const { output, options } = given;
  let session: Session | undefined;
  try {
    // Only now, so that help comes at once.
    const { Session } = await import('./session.js');
    session = new Session(options.cwd, output);
    return (await act({ ...given, session })) ?? exitCodes.ok;
  } catch (error) {
    const told = tell(error);
    const message = told.message + ((await session?.hintFor(told)) ?? '');
    if (output.json) output.answer({ error: { type: told.type, message } }, []);
    output.note(`${output.errorStyle.red('pawl:')} ${message}`);
    if (process.env['PAWL_DEBUG'] === '1') console.error(error);
    return told.exitCode;
  } finally {
    await session?.close().catch(() => undefined);
  }
}
