// One `pawl dev` in a folder: two would share a database and end each other's jobs.

import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lock } from 'proper-lockfile';
import { SystemError } from '../../dag/failures.js';
import { isAlive } from '../embedded/child-process.js';
import { localFolder } from './dev-file.js';

const run = promisify(execFile);
/** The holder touches the lock every second; a lock that was not touched for so long is nobody's. */
const staleMs = 5_000;

/** When a process started, in the system's own words: tells it from a later one of the same id. `undefined`: there is none. */
async function processStart(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined;
  try {
    if (process.platform === 'linux') {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The name before the closing bracket may hold spaces.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    return (await run('ps', ['-o', 'lstart=', '-p', String(pid)])).stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Whether the process that holds a folder's lock is alive; its id. */
export async function lockHolder(root: string): Promise<number | undefined> {
  try {
    const [pid = '', start] = (await readFile(holderPath(root), 'utf8')).split('\n');
    // It is emptied when the folder is given back.
    return start && (await processStart(Number(pid))) === start ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

const holderPath = (root: string): string => join(localFolder(root), 'dev.pid');

const refusal = (root: string, pid: number | undefined): SystemError =>
  new SystemError(
    'Conflict',
    `pawl dev runs in ${root} already${pid === undefined ? '' : ` (process ${pid})`}: end that one first, or use it from another terminal with "pawl run".`,
  );

/** Throws `Conflict` where another process holds the folder; makes nothing in it. */
export async function refuseHeldFolder(root: string): Promise<void> {
  const holder = await lockHolder(root);
  if (holder !== undefined) throw refusal(root, holder);
}

/** Takes the folder for this process; answers what gives it back. Throws `Conflict`, naming the process that holds it. */
export async function lockFolder(root: string): Promise<() => Promise<void>> {
  await mkdir(localFolder(root), { recursive: true, mode: 0o700 });
  const deadline = Date.now() + 2 * staleMs;
  for (;;) {
    await refuseHeldFolder(root);
    try {
      const release = await lock(localFolder(root), {
        realpath: false,
        lockfilePath: join(localFolder(root), 'dev.lock'),
        stale: staleMs,
        update: 1_000,
        onCompromised: () => undefined,
      });
      await writeFile(holderPath(root), `${process.pid}\n${(await processStart(process.pid)) ?? ''}`);
      return async () => {
        await writeFile(holderPath(root), '');
        await release().catch(() => undefined);
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      // Its holder was killed a moment ago, or is only now beginning.
      if (Date.now() > deadline) throw refusal(root, await lockHolder(root));
      await sleep(200);
    }
  }
}
