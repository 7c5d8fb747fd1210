// Ends what runs on this machine outside `pawl dev`'s own processes: training jobs and model servers, which outlive a worker.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LocalCompute } from '../../systems/compute/local.js';
import type { DeploymentSettings } from '../../workers/settings.js';
import { localFolder } from './dev-file.js';

/** How long a job has to write what it must (milliseconds). */
const graceMs = 5_000;

/** Returns how many there were. Jobs on other hosts are left alone: they may belong to others. */
export async function endLocalJobs(
  root: string,
  settings: DeploymentSettings,
  python: string | undefined,
): Promise<number> {
  let ended = 0;
  for (const [name, compute] of Object.entries(settings.compute)) {
    if (compute.kind !== 'local') continue;
    const folder = resolve(root, compute.root ?? join(localFolder(root), 'jobs', name));
    if (!existsSync(folder)) continue;
    const interpreter = compute.python ?? python;
    const local = new LocalCompute({ name, root: folder, ...(interpreter !== undefined && { python: interpreter }) });
    const running = [];
    for await (const job of local.list()) if (job.state.phase === 'running') running.push(job);
    await Promise.all(
      running.map(({ key, epoch, host }) => local.end({ compute: name, host, key, epoch }, { graceMs })),
    );
    ended += running.length;
  }
  return ended;
}
