// Changes the worker for a new one whenever a file of the project has changed.

import type { ProjectSummary } from '../../workers/project-summary.js';
import type { KeptProcess } from './kept-process.js';
import type { LocalEvent } from './local-event.js';
import { sentenceOf } from './local-processes.js';
import { watchFiles } from './watch-files.js';
import type { WorkerProcess } from './worker-process.js';

export interface ReloadOptions {
  readonly root: string;
  readonly worker: KeptProcess<WorkerProcess>;
  readonly onEvent: (event: LocalEvent) => void;
  /** Gets what a project needs before it can run; true where a worker has to be started anew to have it. */
  readonly prepare: (project: ProjectSummary) => Promise<boolean>;
}

const shownFiles = 3;

/** Answers, once changes are noticed, what ends it. */
export async function reloadOnChange({ root, worker, onEvent, prepare }: ReloadOptions): Promise<() => Promise<void>> {
  const reload = async (changed: readonly string[]): Promise<void> => {
    const more = changed.length > shownFiles ? `, and ${changed.length - shownFiles} more` : '';
    onEvent({ kind: 'reloading', message: `${changed.slice(0, shownFiles).join(', ')}${more} changed` });
    try {
      let next = await worker.replace();
      if (await prepare(next.project)) next = await worker.replace();
      onEvent({ kind: 'reloaded', message: 'the worker was reloaded', project: next.project });
    } catch (error) {
      if (!worker.isStopping) onEvent({ kind: 'not-reloaded', message: sentenceOf(error) });
    }
  };
  // What changes during a reload is one more reload after it.
  let waiting: Set<string> | undefined;
  let reloads: Promise<void> = Promise.resolve();
  return watchFiles(root, (changed) => {
    if (waiting !== undefined) {
      for (const file of changed) waiting.add(file);
      return;
    }
    const files = new Set(changed);
    waiting = files;
    reloads = reloads.then(() => {
      waiting = undefined;
      return reload([...files].sort());
    });
  });
}
