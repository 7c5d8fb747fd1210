// Writes a history where the replay test finds it, without what tells of the machine that it was recorded on.

import { writeFile } from 'node:fs/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

// Host names, process ids and folders, which no replay looks at.
const ofThisMachine: ReadonlySet<string> = new Set(['identity', 'stackTrace']);

// What only fills a history up until Temporal suggests a new run: a line of x's, in base64.
const padding = /(eHh4){100,}/g;

/** As `histories/<name>.json`; the workflow's id must be the name, since ids of children are made from it. */
export async function saveHistory(name: string, handle: WorkflowHandle): Promise<void> {
  const history: unknown = JSON.parse(historyToJSON(await handle.fetchHistory()));
  const text = JSON.stringify(history, (key, value: unknown) => (ofThisMachine.has(key) ? '' : value));
  await writeFile(new URL(`histories/${name}.json`, import.meta.url), `${text.replaceAll(padding, 'eHh4')}\n`);
  console.log(`recorded ${name}`);
}
