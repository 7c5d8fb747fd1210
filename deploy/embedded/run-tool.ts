// Runs a tool that takes minutes (go, pip) so that it ends with its owner, and keeps the reason when it fails.

import { startGuardedProcess } from './child-process.js';

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Receives each line that it prints. */
  readonly onLine?: (line: string) => void;
}

/** Thrown when the tool ends with anything but exit code 0; the message is its last meaningful line. */
export class ToolFailed extends Error {
  override readonly name = 'ToolFailed';
}

/** Runs the tool to its end; throws ToolFailed with the last line that it printed. */
export const runTool = async (run: ToolRun): Promise<void> => {
  const child = await startGuardedProcess(run);
  const ending = await child.waitUntilEnded();
  if (ending === 'exit code 0') return;
  const lines = (await child.tail()).split('\n').map((line) => line.trim());
  const said = lines.filter((line) => line !== '' && !line.startsWith('[notice]')).at(-1);
  throw new ToolFailed(`${run.command} ended with ${ending}${said === undefined ? '' : `: ${said.slice(0, 400)}`}`);
};
