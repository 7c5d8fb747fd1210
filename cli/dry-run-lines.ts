// What a dry run answers, in lines for people: the steps that a run would take, in order, and on what each waits. Pure.

import { z } from 'zod';
import { printable, type Style } from './style.js';
import { table } from './table.js';

const plan = z.object({
  params: z.unknown(),
  steps: z.array(
    z.object({
      id: z.string(),
      task: z.string(),
      kind: z.string(),
      after: z.array(z.string()),
      when: z.string().optional(),
      triggerRule: z.string(),
    }),
  ),
});

const usualRule = 'all_success';
const longestValue = 40;
const aboutModel = z.object({ model: z.string(), settings: z.looseObject({}) });
const scalar = z.union([z.string(), z.number(), z.boolean()]);

interface DryRun {
  readonly dag: string;
  readonly output: unknown;
}

/** `undefined` for an output that is no plan: some tasks look themselves what they would do. */
export function dryRunLines(
  { dag, output }: DryRun,
  { style, columns }: { readonly style: Style; readonly columns: number },
): string[] | undefined {
  const parsed = plan.safeParse(output);
  if (!parsed.success) return undefined;
  const { params, steps } = parsed.data;
  const named = Object.entries(typeof params === 'object' && params !== null ? params : {}).flatMap(([name, value]) => {
    const said = scalar.safeParse(value);
    const text = printable(String(said.data ?? ''));
    // A digest, say, tells nobody anything.
    return said.success && text.length <= longestValue ? [`${name} ${text}`] : [];
  });
  const count = steps.length === 1 ? '1 step' : `${steps.length} steps`;
  const rows = steps.map(({ id, task, kind, after, when, triggerRule }, index) => [
    style.dim(String(index + 1)),
    id === task ? id : `${id} (${task})`,
    kind === 'activity' ? '' : kind,
    [
      after.length === 0 ? 'at once' : `after ${after.join(', ')}`,
      ...(triggerRule === usualRule ? [] : [`rule ${triggerRule}`]),
      ...(when === undefined ? [] : [`only if ${printable(when)}`]),
    ].join(' · '),
  ]);
  const model = aboutModel.safeParse(params).data?.model;
  return [
    `${style.yellow('Nothing was run.')} ${style.bold(dag)} would take ${count}${named.length === 0 ? '' : `, with ${named.join(', ')}`}:`,
    ...table(rows, { indent: 2, columns }),
    ...(model === undefined ? [] : [style.dim(`pawl plan ${model} shows its settings, and what is served now.`)]),
  ];
}
