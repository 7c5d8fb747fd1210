// The rollout as a person sees it in the Temporal UI: Markdown for the workflow's current details.

import type { RolloutView } from '../../activities/rollout/protocol.js';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').slice(0, 400);

export function renderDetails(view: RolloutView): string {
  const { operation } = view;
  const lines: string[] = [];
  if (operation === null) lines.push(`**${view.model}** in ${view.environment}: nothing is being rolled out`);
  else {
    const what = operation.kind === 'deploy' ? 'deploy' : 'rollback to';
    const version = operation.version === null ? 'the previous version' : `version ${operation.version}`;
    lines.push(
      `**${what} ${version} of ${view.model}** in ${view.environment} · ${operation.phase}` +
        `${operation.paused ? ' · **paused**' : ''} · weight ${operation.weightPercent} % · by ${operation.by}`,
      '',
      cell(operation.note),
    );
  }
  if (view.weights.length > 0) lines.push('', '| weight | verdict | requests | errors | |', '|---|---|---|---|---|');
  for (const look of view.weights)
    lines.push(
      `| ${look.weightPercent} % | ${look.verdict} | ${look.requests} | ${look.errors} | ${cell(look.explanation)} |`,
    );
  if (view.chores.length > 0) lines.push('', `Still to do: ${cell(view.chores.join(', '))}`);
  if (view.waiting !== null) lines.push('', `Waiting: ${cell(view.waiting)}`);
  const last = view.finished.at(-1);
  if (last !== undefined) lines.push('', `Last: ${last.outcome}. ${cell(last.reason)}`);
  return lines.join('\n');
}
