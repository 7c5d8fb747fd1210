// `pawl history MODEL`: what was live when, who did it, and why.

import type { Command } from 'commander';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { complete } from '../action.js';
import { inForce, spanOf } from '../day.js';
import { localTime } from '../format.js';
import { noEndpoint } from '../no-endpoint.js';
import { table } from '../table.js';

interface Options {
  readonly on?: string;
  readonly all?: boolean;
}

export function historyCommand(program: Command): void {
  const command = program
    .command('history')
    .summary('what was live when, who did it and why')
    .description('Shows every change of what an endpoint served, with who made it and why. Needs no Temporal.')
    .argument('<model>', 'whose endpoint')
    .option('--on <date>', 'only what was live on this day (UTC), or at this moment')
    .option('--all', 'changes of a weight, too');
  complete<Options>(
    command,
    [
      ['pawl history support-bot', 'every change of champion and challenger'],
      ['pawl history support-bot --on 2026-11-08', 'what was live that day'],
      ['pawl history support-bot --on 2026-11-08T14:30Z', 'at that moment'],
    ],
    async ({ args: [model = ''], options, output, session }) => {
      const span = options.on === undefined ? undefined : spanOf(options.on);
      const systems = await session.systems();
      const { environment, endpoints, registry } = systems;
      const states = await output.during('reading the history', async () => {
        const all: EndpointState[] = [];
        for await (const state of endpoints.history(model)) all.push(state);
        return all;
      });
      if (states.length === 0) throw await noEndpoint(endpoints, model, environment);
      const at = (state: EndpointState): Date => new Date(state.change.at);
      const chosen = span === undefined ? states : inForce(states, at, span);
      const shown = chosen.filter(
        ({ change, generation }) =>
          options.all === true ||
          change.kind !== 'weight' ||
          (span !== undefined && generation === chosen[0]?.generation),
      );
      const aliasMoves = [];
      for await (const move of registry.history(model))
        if (span === undefined || (new Date(move.at) >= span.from && new Date(move.at) <= span.to))
          aliasMoves.push(move);
      const { style } = output;
      const { reasonsOf } = await import('../change-reason.js');
      const newest = [...shown].reverse();
      // A document has what was written.
      const reasons = output.json ? [] : await reasonsOf(systems, model, newest);
      const rows = newest.map((state, index) => [
        localTime(at(state)),
        state.champion === null ? style.dim('nothing') : style.bold(`v${state.champion}`),
        state.challenger === null ? '' : `v${state.challenger} at ${state.weights.challenger} %`,
        state.change.kind,
        state.change.by,
        reasons[index] ?? '',
      ]);
      const header = ['SINCE', 'CHAMPION', 'CHALLENGER', 'CHANGE', 'WHO', 'WHY'].map(style.dim);
      const lines =
        rows.length === 0
          ? [
              `${model} was not served in ${environment} at that time: its first version went live ${localTime(at(states[0] as EndpointState))}.`,
            ]
          : table(rows, { header, columns: output.columns });
      output.answer(
        { environment, model, ...(span && { from: span.from, to: span.to }), states: shown, aliasMoves },
        lines,
      );
    },
  );
}
