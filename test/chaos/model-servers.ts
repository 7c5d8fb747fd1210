// The model servers among this machine's processes.

import { readdir, readFile, readlink } from 'node:fs/promises';

/** Process ids of those in this world, known by the job's folder that they run in. */
export async function modelServers(folder: string): Promise<number[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const serves = async (id: number): Promise<boolean> => {
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    return command.includes('serve.mjs') && (await readlink(`/proc/${id}/cwd`).catch(() => '')).startsWith(folder);
  };
  const found = await Promise.all(ids.map(serves));
  return ids.filter((_, index) => found[index]);
}
