// The run as a person sees it in the Temporal UI: Markdown for the workflow's current details.

import type { StepStatus } from '../../dag/graph.js';
import type { LiveState } from './live-state.js';

/** Beyond this many steps the table shows only those that run, failed or were cancelled. */
const maxRows = 60;

const marks: Record<StepStatus, string> = {
  waiting: '·',
  running: '▶',
  success: '✓',
  failed: '✗',
  upstream_failed: '✗',
  skipped: '–',
  cancelled: '■',
};

const notable: ReadonlySet<StepStatus> = new Set(['running', 'failed', 'cancelled']);

/** Keeps a sentence inside one cell of the table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').slice(0, 300);

function seconds(durationMs: number): string {
  if (durationMs < 10_000) return `${(durationMs / 1000).toFixed(1)} s`;
  if (durationMs < 120_000) return `${Math.round(durationMs / 1000)} s`;
  return `${Math.round(durationMs / 60_000)} min`;
}

/** `headline`: what the run is about and how it stands; `state`: its steps. */
export function renderDetails(headline: string, state: LiveState): string {
  const all = [...state.states];
  const few = all.length <= maxRows;
  const rows = (few ? all : all.filter(([, step]) => notable.has(step.status))).slice(0, maxRows);
  const done = all.length - state.count('waiting', 'running');
  const lines = [`**${headline}** · ${done} of ${all.length} steps done`];
  if (rows.length > 0) lines.push('', '| | step | status | took | |', '|---|---|---|---|---|');
  for (const [id, step] of rows) {
    const took =
      step.startedAtMs === undefined || step.endedAtMs === undefined ? '' : seconds(step.endedAtMs - step.startedAtMs);
    const status = step.status.replace('_', ' ') + (step.outcome === undefined ? '' : ` · ${step.outcome}`);
    lines.push(`| ${marks[step.status]} | ${cell(id)} | ${cell(status)} | ${took} | ${cell(step.reason ?? '')} |`);
  }
  return lines.join('\n');
}
