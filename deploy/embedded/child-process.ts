// Starts a program as a child in a process group of its own and ends it with its owner, whatever becomes of that one.
//
// A group of its own, so that ctrl-C in a terminal reaches the owner alone, who then stops its children in order. An owner that
// is killed with -9 cannot do that, so each child has a watchdog: a shell that waits on a pipe whose other end only the owner
// holds. When the owner dies, however it dies, the kernel closes the pipe and the watchdog kills the child's group. It needs
// nothing but a POSIX shell, so it is the same on Linux and macOS (`setpriv --pdeathsig` is Linux only, reaches no
// grandchildren, and fires when the *thread* that spawned the child ends).

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

// First line: the group to guard. Second line: the group has ended by itself. End of file instead of it: the owner is gone.
const watchdogScript = 'read -r group || exit 0; read -r ended && exit 0; kill -s KILL -- "-$group" 2>/dev/null';

const tailBytes = 8192;

export interface GuardedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child; the owner's by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Where its output goes, appended; without one only the last 8 KB are kept, in memory. */
  readonly logFile?: string;
  /** Receives each line of its output, where there is no log file. */
  readonly onLine?: (line: string) => void;
  /** Receives what a Node program sends by `process.send`; without it there is no such channel. */
  readonly onMessage?: (message: unknown) => void;
}

export interface GuardedProcess {
  readonly pid: number;
  /** How it ended (`exit code 1`, `signal SIGKILL`), or undefined while it runs. */
  ended(): string | undefined;
  /** Resolves with what `ended` then says. */
  waitUntilEnded(): Promise<string>;
  /** The last lines of its output. */
  tail(): Promise<string>;
  /** SIGTERM to its group, SIGKILL after the grace time (milliseconds); returns when it has ended. Idempotent. */
  stop(graceMs?: number): Promise<void>;
}

/** Whether a process of this id exists. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Sends a signal to a whole process group; a group that is already gone is fine. */
export const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const guard = (pid: number): (() => void) => {
  const watchdog = spawn('/bin/sh', ['-c', watchdogScript], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.unref();
  // A watchdog that was killed by hand must not take its owner down by EPIPE.
  watchdog.stdin.on('error', () => undefined);
  watchdog.on('error', () => undefined);
  watchdog.stdin.write(`${pid}\n`);
  return () => watchdog.stdin.end('ended\n');
};

const keepTail = (child: ChildProcess): (() => string) => {
  let kept = '';
  const keep = (chunk: Buffer): void => {
    kept = (kept + chunk.toString('utf8')).slice(-tailBytes);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => kept;
};

const followLines = (child: ChildProcess, onLine: (line: string) => void): void => {
  for (const input of [child.stdout, child.stderr]) {
    if (input !== null) createInterface({ input }).on('line', onLine);
  }
};

const readTail = async (file: string): Promise<string> => {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, tailBytes);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
};

/** Starts the program; throws the system's own error (`ENOENT`) when the program cannot be started at all. */
export const startGuardedProcess = async (options: GuardedProcessOptions): Promise<GuardedProcess> => {
  const { command, args, env, cwd, logFile, onLine, onMessage } = options;
  if (logFile !== undefined) mkdirSync(dirname(logFile), { recursive: true });
  const log = logFile === undefined ? undefined : openSync(logFile, 'a');
  const output = log ?? 'pipe';
  const child = spawn(command, args, {
    detached: true,
    stdio: onMessage === undefined ? ['ignore', output, output] : ['ignore', output, output, 'ipc'],
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (log !== undefined) closeSync(log);
  const release = child.pid === undefined ? () => undefined : guard(child.pid);
  const memoryTail = keepTail(child);
  if (onLine !== undefined) followLines(child, onLine);
  if (onMessage !== undefined) child.on('message', onMessage);

  let ending: string | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ending = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
      release();
      resolve();
    });
  });
  // 'close' comes after 'exit', once the output has been read to its end, so that `tail` is complete.
  const closed = new Promise<string>((resolve) => child.once('close', () => resolve(ending ?? 'unknown')));
  await once(child, 'spawn');
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command} started without a process id`);

  return {
    pid,
    ended: () => ending,
    waitUntilEnded: () => closed,
    tail: () => (logFile === undefined ? Promise.resolve(memoryTail()) : readTail(logFile)),
    async stop(graceMs = 5_000) {
      if (ending !== undefined) return;
      signalGroup(pid, 'SIGTERM');
      const late = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
      await exited;
      clearTimeout(late);
      // What the leader left behind in its group.
      signalGroup(pid, 'SIGKILL');
    },
  };
};
