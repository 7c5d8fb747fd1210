// Where a run stands, drawn as lines: for the live table and for the log of one. Pure.

import type { RunState } from '../workflows/dag-run/run-state.js';
import { describeProgress, type ActivityProgress } from './activity-progress.js';
import { duration } from './format.js';
import { colourOutcome } from './outcome.js';
import { fit, printable, type Style } from './style.js';
import { table } from './table.js';

export interface RunView {
  readonly workflowId: string;
  readonly runId: string;
  /** By which its record and its jobs are found: after a reset another one than `runId`. */
  readonly firstRunId: string;
  /** Or the task that was started alone. */
  readonly dag: string;
  readonly model: string | null;
  /** `running`, or Temporal's or the DAG's word for how it ended. */
  readonly outcome: string;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly steps: readonly StepView[];
  /** What else a person should know: a rollout's note, that no worker answers. */
  readonly notes: readonly string[];
  readonly progress: readonly ActivityProgress[];
}

export type StepView = RunState['steps'][number];

const marks: Readonly<Record<StepView['status'], string>> = {
  waiting: '·',
  running: '▸',
  success: '✓',
  failed: '✗',
  upstream_failed: '✗',
  skipped: '–',
  cancelled: '■',
};

function colour(status: StepView['status'], text: string, style: Style): string {
  switch (status) {
    case 'success':
      return style.green(text);
    case 'running':
      return style.cyan(text);
    case 'failed':
    case 'upstream_failed':
      return style.red(text);
    case 'cancelled':
      return style.yellow(text);
    case 'waiting':
    case 'skipped':
      return style.dim(text);
  }
}

export interface DrawOptions {
  readonly style: Style;
  readonly now: Date;
  readonly columns: number;
  /** Steps beyond are summed up; unlimited unless set. */
  readonly rows?: number;
}

/** The whole table. */
export function drawRun(view: RunView, { style, now, columns, rows = Infinity }: DrawOptions): string[] {
  const took = duration((view.endedAt ?? now).getTime() - view.startedAt.getTime());
  const head = `${style.bold(view.workflowId)}  ${colourOutcome(view, style)}  ${style.dim(took)}`;
  const shown = selectSteps(view.steps, rows);
  const left = view.steps.length - shown.length;
  const lines = table(
    shown.map((step) => [
      `${colour(step.status, marks[step.status], style)} ${step.status === 'waiting' ? style.dim(step.id) : step.id}`,
      colour(step.status, step.status, style),
      timeOf(step, now),
      [step.attempts !== null && step.attempts > 1 ? `attempt ${step.attempts}` : '', printable(step.reason ?? '')]
        .filter((part) => part !== '')
        .join(' · '),
    ]),
    { indent: 2, columns },
  );
  const more = left > 0 ? [style.dim(`  … and ${left} more steps (${counts(view.steps)})`)] : [];
  const notes = view.notes.map((note) => fit(`  ${style.yellow(printable(note))}`, columns));
  const progress = progressLines(view).map((line) => fit(`  ${style.dim(line)}`, columns));
  return [fit(head, columns), ...lines, ...more, ...notes, ...progress];
}

/** How far its activities are, a line each. */
export const progressLines = ({ progress }: RunView): string[] =>
  progress.map((said) => printable(describeProgress(said))).filter((line) => line !== '');

const timeOf = ({ startedAt, endedAt }: StepView, now: Date): string =>
  startedAt === null
    ? ''
    : duration((endedAt === null ? now : new Date(endedAt)).getTime() - new Date(startedAt).getTime());

/** Where not all fit: those that run or failed, and then the others in order. */
function selectSteps(steps: readonly StepView[], rows: number): readonly StepView[] {
  if (steps.length <= rows) return steps;
  const urgent = (step: StepView): boolean => step.status === 'running' || step.status === 'failed';
  const first = steps.filter(urgent).slice(0, rows);
  const others = steps.filter((step) => !urgent(step)).slice(0, Math.max(0, rows - first.length));
  const chosen = new Set([...first, ...others]);
  return steps.filter((step) => chosen.has(step));
}

function counts(steps: readonly StepView[]): string {
  const byStatus = new Map<string, number>();
  for (const { status } of steps) byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  return [...byStatus].map(([status, count]) => `${count} ${status}`).join(', ');
}

/** What changed from one view to the next, one plain line each: for a log. */
export function changesBetween(before: RunView | undefined, after: RunView): string[] {
  const lines: string[] = [];
  const old = new Map(before?.steps.map((step) => [step.id, step]));
  for (const step of after.steps) {
    const was = old.get(step.id);
    if (was?.status === step.status && was.attempts === step.attempts && was.reason === step.reason) continue;
    if (was === undefined && step.status === 'waiting') continue;
    const details = [
      step.endedAt !== null && step.startedAt !== null ? timeOf(step, new Date(step.endedAt)) : '',
      step.attempts !== null && step.attempts > 1 ? `attempt ${step.attempts}` : '',
      printable(step.reason ?? ''),
    ].filter((part) => part !== '');
    lines.push(`${step.id} ${step.status}${details.length === 0 ? '' : ` (${details.join(', ')})`}`);
  }
  for (const note of after.notes) if (before?.notes.includes(note) !== true) lines.push(printable(note));
  return lines;
}
