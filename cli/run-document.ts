// The one JSON document of a run that run, watch, cancel and rollback answer with.

import type { Run } from '../client/client.js';
import { SystemError } from '../dag/failures.js';
import { tell } from './exit-codes.js';
import type { RunView } from './run-view.js';
import type { Session } from './session.js';

export interface RunDocument extends RunView {
  /** Where a person sees it, if that is known. */
  readonly url: string | null;
  /** What it gave back; null while it goes on, and where it did not complete. */
  readonly output: unknown;
  /** Why it did not complete. */
  readonly error: { readonly type: string; readonly message: string } | null;
}

/** How a run stands. Throws `NotFound`. */
export async function readDocument(session: Session, workflowId: string): Promise<RunDocument> {
  const view = await (await session.runs()).read(workflowId);
  const url = (await session.uiUrl(workflowId, view.runId)) ?? null;
  if (view.outcome === 'running') return { ...view, url, output: null, error: null };
  const { output = null, error = null } = await endOf(session, workflowId);
  return { ...view, url, output, error };
}

/** Waits until a run has ended, and answers how. */
export async function documentOfEnd(session: Session, run: Run | string): Promise<RunDocument> {
  await endOf(session, run);
  return readDocument(session, typeof run === 'string' ? run : run.workflowId);
}

async function endOf(session: Session, run: Run | string): Promise<Partial<Pick<RunDocument, 'output' | 'error'>>> {
  const client = await session.client();
  try {
    return { output: (await client.result(run)).output };
  } catch (failure) {
    // What is no end of the run's.
    if (!(failure instanceof SystemError) || failure.type === 'Unavailable') throw failure;
    const { type, message } = tell(failure);
    return { error: { type, message } };
  }
}
