// Refuses to work on a server that lacks Pawl's search attributes: a run that sets an unregistered one hangs for ever.

import type { NativeConnection } from '@temporalio/worker';
import { SystemError } from '../dag/failures.js';
import { searchAttributes } from './search-attributes.js';

/** A worker's connection, or a client's. */
export type OperatorConnection = Pick<NativeConnection, 'operatorService'>;

/** Those of Pawl's search attributes that a namespace lacks. */
export async function missingSearchAttributes(connection: OperatorConnection, namespace: string): Promise<string[]> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  return Object.keys(searchAttributes).filter((name) => !Object.hasOwn(known.customAttributes ?? {}, name));
}

/** Throws `NotFound`, naming them and the command that registers them. */
export async function checkSearchAttributes(connection: OperatorConnection, namespace: string): Promise<void> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) return;
  throw new SystemError(
    'NotFound',
    `Temporal namespace ${namespace} lacks the search attributes ${missing.join(', ')}: run "pawl setup" once, then start the worker again.`,
    { details: { missing } },
  );
}
