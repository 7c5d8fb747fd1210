// The search attributes that Pawl sets on its workflows: a server must have them registered before a worker may start.

import type { SearchAttributeType } from '@temporalio/common';

/** Name → type, in Temporal's words (`KEYWORD`, `DATETIME`). */
export const searchAttributes = {
  PawlDag: 'KEYWORD',
  PawlModel: 'KEYWORD',
  PawlEnvironment: 'KEYWORD',
  PawlTrigger: 'KEYWORD',
  PawlLogicalDate: 'DATETIME',
  PawlOutcome: 'KEYWORD',
} as const satisfies Record<string, SearchAttributeType>;

export type SearchAttributeName = keyof typeof searchAttributes;
