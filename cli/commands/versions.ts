// `pawl versions MODEL`: what the registry holds of a model, and which of it is served.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import { describeRevocation, revocationOf } from '../../systems/endpoint/revocations.js';
import type { EndpointState, Revocation } from '../../systems/endpoint/state.js';
import type { ModelVersion } from '../../systems/registry/port.js';
import { complete } from '../action.js';
import { localTime } from '../format.js';
import { meantName } from '../meant-name.js';
import type { Session } from '../session.js';
import { printable, type Style } from '../style.js';
import { table } from '../table.js';
import { typed } from '../typed.js';
import { count } from './runs.js';

interface Options {
  readonly limit: number;
}

const roles = ['champion', 'challenger', 'previous'] as const;

export function versionsCommand(program: Command): void {
  const command = program
    .command('versions')
    .summary('the versions of a model')
    .description(
      'Lists the registered versions of a model, newest first: when each was made, how it did, and what it is at the endpoint. Needs no Temporal.',
    )
    .argument('<model>', 'the name in its file')
    .option('-n, --limit <count>', 'at most so many', count, 20);
  complete<Options>(
    command,
    [
      ['pawl versions support-bot', 'which there are to roll back to'],
      ['pawl versions support-bot -n 1 --json', 'the newest with all that is known of it, for a script'],
    ],
    async ({ args: [model = ''], options, output, session }) => {
      const [{ environment, endpoints, registry }, told] = await Promise.all([
        session.systems(),
        import('../version-text.js'),
      ]);
      const { versions, state, problem } = await output.during('reading the registry', async () => {
        const found: ModelVersion[] = [];
        for await (const version of registry.versions(model)) {
          found.push(version);
          if (found.length >= options.limit) break;
        }
        const endpoint = found.length === 0 ? { state: null, problem: null } : await stateOf(endpoints, model);
        return { versions: found, ...endpoint };
      });
      if (versions.length === 0) throw await noVersion(session, model);
      const { style } = output;
      const header = ['VERSION', 'STATUS', 'REGISTERED', 'BY', 'METRICS', 'VERDICT'].map(style.dim);
      const documents = versions.map((version) => ({
        ...version,
        servedAs: rolesOf(version, state),
        revoked: revocationOf(state, version.version) ?? null,
      }));
      const revoked = documents.flatMap(({ version, revoked: why }) =>
        why === null ? [] : [`${style.red(`v${version}`)} was ${printable(describeRevocation(why))}`],
      );
      output.answer({ environment, model, versions: documents, problem }, [
        ...table(
          documents.map((version) => [...row(version, style), told.metricsOf(version), told.verdictOf(version)]),
          { header, columns: output.columns },
        ),
        ...(revoked.length === 0
          ? []
          : [
              '',
              ...revoked,
              `A run that makes it again leaves it alone, unless it is started with force. By name: pawl run canary-deploy --param model=${model} --param version=…`,
            ]),
        ...(problem === null ? [] : ['', style.red(problem)]),
      ]);
    },
  );
}

/** `NotFound`, to be thrown: a slip in the name has no run that makes a version. */
async function noVersion(session: Session, model: string): Promise<SystemError> {
  const models = [...(await session.project()).models.keys()];
  const advice =
    models.length === 0 || models.includes(model)
      ? `"${typed(`run model-lifecycle --param model=${model}`)}" makes one.`
      : meantName(model, models);
  return new SystemError('NotFound', `No version of ${model} is registered: ${advice}`);
}

interface Endpoints {
  read(model: string): Promise<{ readonly state: EndpointState } | undefined>;
}

/** Versions are listed although the endpoint cannot be read: they are what it can be mended with. */
async function stateOf(
  endpoints: Endpoints,
  model: string,
): Promise<{ state: EndpointState | null; problem: string | null }> {
  try {
    return { state: (await endpoints.read(model))?.state ?? null, problem: null };
  } catch (error) {
    if (!(error instanceof SystemError && error.type === 'Corrupt')) throw error;
    return { state: null, problem: error.message };
  }
}

const rolesOf = ({ version }: ModelVersion, state: EndpointState | null): string[] =>
  state === null ? [] : roles.filter((role) => state[role] === version);

const colours: Readonly<Record<string, 'green' | 'red'>> = { champion: 'green', revoked: 'red' };

function row(
  version: ModelVersion & { readonly servedAs: readonly string[]; readonly revoked: Revocation | null },
  style: Style,
): string[] {
  const words = [...version.servedAs, ...(version.revoked === null ? [] : ['revoked'])];
  return [
    style.bold(`v${version.version}`),
    words.map((word) => style[colours[word] ?? 'yellow'](word)).join(', '),
    localTime(new Date(version.createdAt)),
    printable(version.by),
  ];
}
