// `pawl reconcile`: mends a lost or corrupt endpoint object, and aliases that disagree with it.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import type { Reconciliation } from '../../systems/endpoint/reconcile.js';
import { complete } from '../action.js';
import { operatorAct } from '../operation-id.js';
import { syncRouters } from '../routers.js';
import type { Style } from '../style.js';

interface Options {
  readonly reason: string;
  readonly dryRun?: boolean;
}

export function reconcileCommand(program: Command): void {
  const command = program
    .command('reconcile')
    .summary('mend endpoints and aliases')
    .description(
      'Writes a lost or corrupt endpoint object anew from its history, with a higher generation and without a challenger, and makes the registry’s aliases agree with it. Needs no Temporal.',
    )
    .argument('[model]', 'only this one; all of the environment unless given')
    .option('--reason <text>', 'why; it stays in the history', 'reconciled by hand')
    .option('--dry-run', 'only say what would be done');
  complete<Options>(
    command,
    [
      ['pawl reconcile --dry-run', 'what is wrong, if anything'],
      ['pawl reconcile support-bot', 'mends it'],
    ],
    async ({ args: [only], options, output, session }) => {
      const systems = await session.systems();
      const { reconcileEndpoint } = await import('../../systems/endpoint/reconcile.js');
      const { ObjectStoreEndpoints } = await import('../../systems/endpoint/object-store.js');
      const endpoints = new ObjectStoreEndpoints(systems.objects, systems.environment);
      const dryRun = options.dryRun === true;
      const done: Reconciliation[] = [];
      await output.during('reading endpoints and aliases', async (say) => {
        for await (const model of only === undefined ? endpoints.models() : [only]) {
          say(model);
          const routers = await systems.serving.routers();
          // What routers follow tells how high the generation had been.
          const seen = (await syncRouters(routers, model)).map(({ generation }) => generation ?? 0);
          done.push(
            await reconcileEndpoint({
              endpoints,
              registry: systems.registry,
              model,
              act: operatorAct('reconcile', options.reason),
              routerGeneration: Math.max(0, ...seen),
              dryRun,
            }),
          );
          if (!dryRun) await syncRouters(routers, model);
        }
      });
      if (only === undefined && done.length === 0)
        throw new SystemError(
          'NotFound',
          `No model is served in ${systems.environment} yet: there is nothing to reconcile.`,
        );
      output.answer(
        { dryRun, endpoints: done },
        done.flatMap((each) => describe(each, dryRun, output.style)),
      );
    },
  );
}

function describe(
  { model, endpoint, finding, state, disagreements }: Reconciliation,
  dryRun: boolean,
  style: Style,
): string[] {
  const champion = state.champion === null ? 'no champion' : `champion version ${state.champion}`;
  const wrong = disagreements.map(
    ({ alias, inEndpoint, inRegistry }) =>
      `  alias ${alias}: ${inRegistry === null ? 'none' : `version ${inRegistry}`} ${dryRun ? 'should be' : 'is now'} ${inEndpoint === null ? 'none' : `version ${inEndpoint}`}`,
  );
  const mark =
    endpoint === 'sound' && wrong.length === 0
      ? style.green('sound')
      : style.yellow(endpoint === 'sound' ? 'aliases' : endpoint);
  return [
    `${style.bold(model)}  ${mark}  ${champion}, generation ${state.generation}`,
    ...(finding === undefined ? [] : [`  ${finding}`]),
    ...wrong,
  ];
}
