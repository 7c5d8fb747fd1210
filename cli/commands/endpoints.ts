// `pawl endpoints`: what every endpoint serves, what the registry's aliases say, and where the two disagree.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import type { AliasDisagreement } from '../../systems/endpoint/mirror-aliases.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import { complete } from '../action.js';
import { exitCodes, tell } from '../exit-codes.js';
import { localTime } from '../format.js';
import { noEndpoint } from '../no-endpoint.js';
import type { Output } from '../output.js';
import { describePause, type RolloutPause } from '../pause-text.js';
import type { Session } from '../session.js';
import { wrap } from '../style.js';
import { table } from '../table.js';
import { typed } from '../typed.js';

interface Found {
  readonly model: string;
  readonly state: EndpointState | null;
  /** Why the object cannot be read. */
  readonly problem: string | null;
  readonly disagreements: readonly AliasDisagreement[];
  /** Of the rollout that is under way; null: it goes on, or there is none. */
  readonly pause: RolloutPause | null;
  /** Why it is not known whether there is a pause. */
  readonly pauseProblem: string | null;
}

/** What is served is to be told soon, also while Temporal is away. */
const patienceMs = 4_000;

export function endpointsCommand(program: Command): void {
  const command = program
    .command('endpoints')
    .summary('what is served now')
    .description(
      'Shows what every endpoint serves, where a rollout is paused, and where the registry’s aliases say something else. Needs no Temporal but for the pause.',
    )
    .argument('[model]', 'only this one');
  complete<object>(
    command,
    [
      ['pawl endpoints', 'all of this environment'],
      ['pawl endpoints support-bot --json', 'exit code 1 where something disagrees'],
    ],
    async ({ args: [only], output, session }) => {
      const systems = await session.systems();
      const { environment, endpoints, registry } = systems;
      const { findDisagreements } = await import('../../systems/endpoint/mirror-aliases.js');
      const found = await output.during('reading the endpoints', async () => {
        const all: Found[] = [];
        for await (const model of only === undefined ? endpoints.models() : [only]) {
          try {
            const state = (await endpoints.read(model))?.state ?? null;
            const disagreements = state === null ? [] : await findDisagreements(registry, model, state);
            const pause = state?.challenger == null ? noPause : await readPause(session, model);
            all.push({ model, state, problem: null, disagreements, ...pause });
          } catch (error) {
            if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
            all.push({ model, state: null, problem: error.message, disagreements: [], ...noPause });
          }
        }
        return all;
      });
      if (only !== undefined && found[0]?.state === null && found[0].problem === null)
        throw await noEndpoint(endpoints, only, environment);
      const isSound = found.every(({ problem, disagreements }) => problem === null && disagreements.length === 0);
      const { reasonsOf } = await import('../change-reason.js');
      const reasons = await Promise.all(
        found.map(async ({ model, state }) =>
          state === null || output.json ? '' : (await reasonsOf(systems, model, [state])).join(),
        ),
      );
      output.answer({ environment, endpoints: found }, describe(found, { environment, reasons }, output));
      return isSound ? exitCodes.ok : exitCodes.negative;
    },
  );
}

const noPause = { pause: null, pauseProblem: null };

async function readPause(session: Session, model: string): Promise<Pick<Found, 'pause' | 'pauseProblem'>> {
  const { findPause } = await import('../rollout-pause.js');
  const asked = async (): Promise<RolloutPause | null> => {
    const client = await session.client();
    const rollout = client.rollout(model);
    const { temporal } = client;
    return temporal.connection.withDeadline(Date.now() + patienceMs, async () => {
      const { operation } = await rollout.state();
      return (await findPause(temporal, rollout, operation)) ?? null;
    });
  };
  const late = AbortSignal.timeout(patienceMs);
  const tooLate = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => reject(new SystemError('Unavailable', 'Temporal does not answer.')));
  });
  try {
    return { pause: await Promise.race([asked(), tooLate]), pauseProblem: null };
  } catch (error) {
    const told = tell(error);
    // Nobody conducts it: then nobody has paused it.
    return told.type === 'NotFound' ? noPause : { pause: null, pauseProblem: told.message };
  }
}

interface Told {
  readonly environment: string;
  /** Why each endpoint was changed last. */
  readonly reasons: readonly string[];
}

function describe(found: readonly Found[], { environment, reasons }: Told, { style, columns }: Output): string[] {
  if (found.length === 0) return [`No model is served in ${environment} yet.`];
  const rows = found.map(({ model, state, pause }, index) => [
    style.bold(model),
    version(state?.champion),
    state?.challenger == null
      ? '–'
      : `${version(state.challenger)} at ${state.weights.challenger} %${pause === null ? '' : style.yellow(' paused')}`,
    version(state?.previous),
    state === null ? '–' : String(state.generation),
    state === null
      ? style.red('cannot be read')
      : `${localTime(new Date(state.change.at))} ${state.change.kind} by ${state.change.by}: ${reasons[index] ?? ''}`,
  ]);
  const header = ['MODEL', 'CHAMPION', 'CHALLENGER', 'PREVIOUS', 'GENERATION', 'LAST CHANGE'].map(style.dim);
  const pauses = found.flatMap(({ model, state, pause, pauseProblem }) => [
    ...(pause === null ? [] : describeTrial(model, pause)),
    ...(pauseProblem === null
      ? []
      : [`Whether version ${state?.challenger ?? ''} of ${model} is paused is not known: ${pauseProblem}`]),
  ]);
  const problems = found.flatMap(({ model, problem, disagreements }) => [
    ...(problem === null ? [] : [style.red(problem)]),
    ...disagreements.map(({ alias, inEndpoint, inRegistry }) =>
      style.yellow(
        `The registry's ${alias} of ${model} is ${versionWord(inRegistry)}, and the endpoint's is ${versionWord(inEndpoint)}: run "pawl reconcile ${model}".`,
      ),
    ),
  ]);
  const below = [...pauses.map(style.yellow), ...problems].flatMap((line) => wrap(line, columns));
  return [...table(rows, { header, columns }), ...(below.length === 0 ? [] : ['', ...below])];
}

function describeTrial(model: string, pause: RolloutPause): string[] {
  const meant = `${model} --version ${pause.version ?? 'N'} --reason "…"`;
  return [
    `Version ${pause.version ?? ''} of ${model} is ${describePause(pause)}`,
    `To let it go on: ${typed(`resume ${meant}`)}`,
    `To end it: ${typed(`promote ${meant}`)}, or ${typed(`abort ${meant}`)}`,
  ];
}

const version = (value: number | null | undefined): string => (value == null ? '–' : `v${value}`);
const versionWord = (value: number | null): string => (value === null ? 'none' : `version ${value}`);
