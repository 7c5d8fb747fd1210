// Ids of what an operator writes to an endpoint: one for each command that was typed.

import { newRunId } from './run-id.js';
import { whoami } from './whoami.js';

export interface OperatorAct {
  readonly operationId: string;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
}

export function operatorAct(command: string, reason: string): OperatorAct {
  const now = new Date();
  return { operationId: `pawl-${command}-${newRunId(now)}`, by: whoami(), reason, at: now.toISOString() };
}
