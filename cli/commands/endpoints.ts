// `pawl endpoints`: what every endpoint serves, what the registry's aliases say, and where the two disagree.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import type { AliasDisagreement } from '../../systems/endpoint/mirror-aliases.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { complete } from '../action.js';
import { exitCodes } from '../exit-codes.js';
import { localTime } from '../format.js';
import { noEndpoint } from '../no-endpoint.js';
import type { Output } from '../output.js';
import { table } from '../table.js';

interface Found {
  readonly model: string;
  readonly state: EndpointState | null;
  /** Why the object cannot be read. */
  readonly problem: string | null;
  readonly disagreements: readonly AliasDisagreement[];
}

export function endpointsCommand(program: Command): void {
  const command = program
    .command('endpoints')
    .summary('what is served now')
    .description(
      'Shows what every endpoint serves, and where the registry’s aliases say something else. Needs no Temporal.',
    )
    .argument('[model]', 'only this one');
  complete<object>(
    command,
    [
      ['pawl endpoints', 'all of this environment'],
      ['pawl endpoints support-bot --json', 'exit code 1 where something disagrees'],
    ],
    async ({ args: [only], output, session }) => {
      const { environment, endpoints, registry } = await session.systems();
      const { findDisagreements } = await import('../../systems/endpoint/mirror-aliases.js');
      const found = await output.during('reading the endpoints', async () => {
        const all: Found[] = [];
        for await (const model of only === undefined ? endpoints.models() : [only]) {
          try {
            const state = (await endpoints.read(model))?.state ?? null;
            const disagreements = state === null ? [] : await findDisagreements(registry, model, state);
            all.push({ model, state, problem: null, disagreements });
          } catch (error) {
            if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
            all.push({ model, state: null, problem: error.message, disagreements: [] });
          }
        }
        return all;
      });
      if (only !== undefined && found[0]?.state === null && found[0].problem === null)
        throw await noEndpoint(endpoints, only, environment);
      const isSound = found.every(({ problem, disagreements }) => problem === null && disagreements.length === 0);
      output.answer({ environment, endpoints: found }, describe(found, environment, output));
      return isSound ? exitCodes.ok : exitCodes.negative;
    },
  );
}

function describe(found: readonly Found[], environment: string, { style, columns }: Output): string[] {
  if (found.length === 0) return [`No model is served in ${environment} yet.`];
  const rows = found.map(({ model, state }) => [
    style.bold(model),
    version(state?.champion),
    state?.challenger == null ? '–' : `${version(state.challenger)} at ${state.weights.challenger} %`,
    version(state?.previous),
    state === null ? '–' : String(state.generation),
    state === null
      ? style.red('cannot be read')
      : `${localTime(new Date(state.change.at))} ${state.change.kind} by ${state.change.by}: ${state.change.reason}`,
  ]);
  const header = ['MODEL', 'CHAMPION', 'CHALLENGER', 'PREVIOUS', 'GENERATION', 'LAST CHANGE'].map(style.dim);
  const problems = found.flatMap(({ model, problem, disagreements }) => [
    ...(problem === null ? [] : [style.red(problem)]),
    ...disagreements.map(({ alias, inEndpoint, inRegistry }) =>
      style.yellow(
        `The registry's ${alias} of ${model} is ${versionWord(inRegistry)}, and the endpoint's is ${versionWord(inEndpoint)}: run "pawl reconcile ${model}".`,
      ),
    ),
  ]);
  return [...table(rows, { header, columns }), ...(problems.length === 0 ? [] : ['', ...problems])];
}

const version = (value: number | null | undefined): string => (value == null ? '–' : `v${value}`);
const versionWord = (value: number | null): string => (value === null ? 'none' : `version ${value}`);
