// Finds runs by Pawl's search attributes.

import type { Client } from '@temporalio/client';
import { keyword, logicalDateKey } from './search-attributes.js';

export interface RunFilter {
  readonly dag?: string;
  readonly model?: string;
  /** `promoted`, `failed`, … */
  readonly outcome?: string;
  readonly open?: boolean;
  /** 100 unless set. */
  readonly limit?: number;
}

export interface RunSummary {
  readonly workflowId: string;
  readonly runId: string;
  readonly dag: string;
  readonly model: string | null;
  readonly trigger: string | null;
  readonly logicalDate: string | null;
  /** Temporal's word: `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED`, `TERMINATED`, … */
  readonly status: string;
  readonly outcome: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** A string in Temporal's list filter. */
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

/** Newest first. The children of runs are not listed: they belong to their run. */
export async function* listRuns(client: Client, environment: string, filter: RunFilter): AsyncIterable<RunSummary> {
  const { limit = 100 } = filter;
  const terms = [
    `PawlEnvironment = ${quoted(environment)}`,
    'PawlTrigger != "parent"',
    ...(filter.dag === undefined ? [] : [`PawlDag = ${quoted(filter.dag)}`]),
    ...(filter.model === undefined ? [] : [`PawlModel = ${quoted(filter.model)}`]),
    ...(filter.outcome === undefined ? [] : [`PawlOutcome = ${quoted(filter.outcome)}`]),
    ...(filter.open === undefined ? [] : [`ExecutionStatus ${filter.open ? '=' : '!='} "Running"`]),
  ];
  let count = 0;
  if (limit < 1) return;
  for await (const found of client.workflow.list({ query: terms.join(' AND '), pageSize: Math.min(limit, 1_000) })) {
    const attributes = found.typedSearchAttributes;
    yield {
      workflowId: found.workflowId,
      runId: found.runId,
      dag: attributes.get(keyword('PawlDag')) ?? found.type,
      model: attributes.get(keyword('PawlModel')) ?? null,
      trigger: attributes.get(keyword('PawlTrigger')) ?? null,
      logicalDate: attributes.get(logicalDateKey)?.toISOString() ?? null,
      status: found.status.name,
      outcome: attributes.get(keyword('PawlOutcome')) ?? null,
      startedAt: found.startTime.toISOString(),
      endedAt: found.closeTime?.toISOString() ?? null,
    };
    if (++count >= limit) return;
  }
}
