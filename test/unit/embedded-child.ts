// A process for the tests of deploy/embedded to start, to interrupt and to kill. Its first argument says what it does.

import { startGuardedProcess } from '../../deploy/embedded/child-process.js';
import { findProgram } from '../../deploy/embedded/find-program.js';
import { servers } from '../../deploy/embedded/servers.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const [what] = process.argv.slice(2);
if (what === 'own') {
  // A shell with a child of its own: the whole group has to go.
  const { pid } = await startGuardedProcess({
    command: '/bin/sh',
    args: ['-c', 'sleep 1000 & echo $!; wait'],
    onLine: say,
  });
  say(`group ${pid}`);
  setInterval(() => undefined, 1_000);
} else if (what === 'find') {
  const { download: _, ...program } = servers.minio;
  say(JSON.stringify(await findProgram(program, { onProgress: say })));
} else {
  throw new Error(`unknown: ${what}`);
}
