// `pawl traffic MODEL --champion-only`: takes a challenger off by hand. Needs S3 and no Temporal: it is for the night.

import type { Command } from 'commander';
import { SystemError } from '../../dag/failures.js';
import { complete } from '../action.js';
import { exitCodes } from '../exit-codes.js';
import { noEndpoint } from '../no-endpoint.js';
import { operatorAct } from '../operation-id.js';
import { syncRouters } from '../routers.js';

interface Options {
  readonly championOnly?: boolean;
  readonly reason: string;
}

export function trafficCommand(program: Command): void {
  const command = program
    .command('traffic')
    .summary('send all traffic to the champion, now')
    .description(
      'Sends all requests of an endpoint to its champion. Works while Temporal is down; a rollout that is under way finds it out and ends rolled-back.',
    )
    .argument('<model>', 'whose endpoint')
    .option('--champion-only', 'take the challenger off')
    .option('--reason <text>', 'why; it stays in the history', 'taken off by hand');
  complete<Options>(
    command,
    [['pawl traffic support-bot --champion-only --reason "users complain"', 'works without Temporal']],
    async ({ args: [model = ''], options, output, session }) => {
      if (options.championOnly !== true)
        throw new SystemError(
          'InvalidInput',
          `Say what to do: pawl traffic ${model} --champion-only sends all to the champion.`,
        );
      const systems = await session.systems();
      const [{ moveEndpoint }, { championOnly }] = await Promise.all([
        import('../../systems/endpoint/move.js'),
        import('../../systems/endpoint/transitions.js'),
      ]);
      const act = operatorAct('traffic', options.reason);
      const { result, routers } = await output.during(`sending ${model} to its champion`, async () => ({
        result: await moveEndpoint(systems.endpoints, model, {
          operationId: act.operationId,
          decide: (state) => championOnly(state, act),
        }),
        // Also where nothing had to be written: a router may be behind.
        routers: await syncRouters(await systems.serving.routers(), model),
      }));
      const state = result.moved ? result.state : result.current;
      if (state === null) throw await noEndpoint(systems.endpoints, model, systems.environment);
      const { style } = output;
      const said = result.moved
        ? `${style.green('done')}  ${model} sends all to version ${result.state.champion ?? 'none'} (generation ${result.state.generation}).`
        : `${style.yellow('nothing changed')}  ${result.refusal}`;
      const behind = routers.filter(({ problem }) => problem !== null);
      output.answer({ moved: result.moved, refusal: result.moved ? null : result.refusal, state, routers }, [
        said,
        ...behind.map(({ problem }) =>
          style.yellow(`${problem} It follows by itself once it reaches S3, and its lease runs out.`),
        ),
      ]);
      return behind.length > 0 ? exitCodes.unavailable : exitCodes.ok;
    },
  );
}
