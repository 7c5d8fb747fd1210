// Finds the run that a person means: by its workflow id, by a part of it, or the newest.

import type { PawlClient } from '../client/client.js';
import { SystemError } from '../dag/failures.js';

const lookedThrough = 500;

/** Throws `NotFound`, and `InvalidInput` where a part fits several. */
export async function findRun(client: PawlClient, reference: string | undefined): Promise<string> {
  if (reference !== undefined && reference.split('/').length >= 3) return reference;
  const fitting: string[] = [];
  for await (const { workflowId } of client.list({ limit: reference === undefined ? 1 : lookedThrough }))
    if (reference === undefined || workflowId.includes(reference)) fitting.push(workflowId);
  const [first, second] = fitting;
  if (first === undefined)
    throw new SystemError(
      'NotFound',
      reference === undefined
        ? `There are no runs in ${client.environment} yet: start one with "pawl run".`
        : `No run in ${client.environment} has ${reference} in its id: "pawl runs" lists them.`,
    );
  if (second !== undefined)
    throw new SystemError(
      'InvalidInput',
      `${reference ?? ''} fits ${fitting.length} runs, such as ${first} and ${second}: give more of the id.`,
    );
  return first;
}
