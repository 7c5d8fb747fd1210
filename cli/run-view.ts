// Where a run stands, drawn as lines: for the live table and for the log of one. Pure.

import type { RunState } from '../workflows/dag-run/run-state.js';
import { describeProgress, type ActivityProgress } from './activity-progress.js';
import { duration } from './format.js';
import { colourOutcome } from './outcome.js';
import { fit, printable, wrap, type Style } from './style.js';
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
  /** How many lines there may be; unlimited unless set. */
  readonly height?: number;
}

/** The whole table: where it is too high with a line to each step, and the steps that matter least only counted. */
export function drawRun(view: RunView, options: DrawOptions): string[] {
  const { height = Infinity } = options;
  const count = view.steps.length;
  const whole = draw(view, options, { count, isWrapped: true });
  if (whole.length <= height) return whole;
  const cut = draw(view, options, { count, isWrapped: false });
  if (cut.length <= height) return cut;
  const fewer = Math.max(1, count - (cut.length - height) - 1);
  return draw(view, options, { count: fewer, isWrapped: false }).slice(0, height);
}

interface Shape {
  readonly count: number;
  readonly isWrapped: boolean;
}

function draw(view: RunView, { style, now, columns }: DrawOptions, { count, isWrapped }: Shape): string[] {
  const took = duration((view.endedAt ?? now).getTime() - view.startedAt.getTime());
  const head = `${style.bold(view.workflowId)}  ${colourOutcome(view, style)}  ${style.dim(took)}`;
  const shown = selectSteps(view.steps, count);
  const left = view.steps.length - shown.length;
  const rows = shown.map((step) => [
    `${colour(step.status, marks[step.status], style)} ${step.status === 'waiting' ? style.dim(step.id) : step.id}`,
    colour(step.status, step.status, style) +
      (step.outcome === null
        ? ''
        : ` ${style.dim('·')} ${colourOutcome({ dag: step.id, outcome: printable(step.outcome) }, style)}`),
    timeOf(step, now),
    [step.attempts !== null && step.attempts > 1 ? `attempt ${step.attempts}` : '', printable(step.reason ?? '')]
      .filter((part) => part !== '')
      .join(' · '),
  ]);
  const lines = isWrapped
    ? table(rows, { indent: 2, columns })
    : table(rows, { indent: 2 }).map((line) => fit(line, columns));
  const more = left > 0 ? [style.dim(`  … and ${left} more steps (${counts(view.steps)})`)] : [];
  const below = (text: string): string[] => wrap(text, columns - 2).map((line) => `  ${line}`);
  const notes = view.notes.flatMap((note) => below(style.yellow(printable(note))));
  const progress = progressLines(view).flatMap((line) => below(style.dim(line)));
  return [...wrap(head, columns), ...lines, ...more, ...notes, ...progress];
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

/** What changed from one view to the next, one plain line each with when it happened: for a log. */
export function changesBetween(before: RunView | undefined, after: RunView, now: Date): Change[] {
  const changes: Change[] = [];
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
    const outcome = step.outcome === null ? '' : ` · ${printable(step.outcome)}`;
    // A step that is under way began only once; what is said of it since is new.
    const at = was?.status === step.status ? null : (step.endedAt ?? step.startedAt);
    changes.push({
      at: at === null ? (after.endedAt ?? now) : new Date(at),
      text: `${step.id} ${step.status}${outcome}${details.length === 0 ? '' : ` (${details.join(', ')})`}`,
    });
  }
  changes.sort((left, right) => left.at.getTime() - right.at.getTime());
  const at = after.endedAt ?? now;
  for (const note of after.notes)
    if (before?.notes.includes(note) !== true) changes.push({ at, text: printable(note) });
  return changes;
}

export interface Change {
  readonly at: Date;
  readonly text: string;
}
