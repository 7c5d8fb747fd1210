// kill -9 of the worker around every effect by which a champion is brought back: one whose server died, one that a worker which
// woke late had retired, one whose host went away.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { GatewayServing } from '../../systems/serving/gateway.js';
import type { ServingRecord } from '../../systems/serving/record.js';
import { ServingRecords } from '../../systems/serving/records.js';
import { until } from '../fixtures/until.js';
import { ChaosWorld } from './chaos-world.js';
import { expectKilledAround } from './expect-killed.js';
import { endpointIsAtRest, nothingIsLeftBehind } from './invariants.js';
import { modelServers } from './model-servers.js';
import { openSshHosts, type SshHosts } from './ssh-hosts.js';

const timeout = 600_000;
const champion = 1;

/** By which a version comes up again. */
const effects = [
  'objects.put serving record launching',
  'compute.submit service',
  'objects.put serving record launching, job known',
  'objects.put serving record running',
];

let hosts: SshHosts;
let chaos: ChaosWorld;

beforeAll(async () => {
  hosts = await openSshHosts();
  chaos = await ChaosWorld.open({ temporal: inject('temporal'), s3: inject('s3') }, '', hosts.compute);
  expect(await chaos.lifecycle({ epochs: 4, serveOn: 'gpu' })).toMatchObject({
    outcome: 'promoted',
    version: champion,
    violations: [],
  });
}, timeout);
afterAll(async () => {
  console.log(chaos.report('a champion that is brought back'));
  await hosts.startAll();
  await chaos.close();
  await hosts.close();
});

async function record(): Promise<ServingRecord> {
  const { systems, environment, model } = chaos.world;
  const reading = await new ServingRecords({ objects: systems.objects, environment }).read(model, champion);
  return reading!.record;
}

/** As a process of its own would see it that knows no gateway, or lives this much later. */
function servingElsewhere(laterMs = 0): GatewayServing {
  const { systems, environment } = chaos.world;
  const { objects, compute } = systems;
  const now = (): Date => new Date(Date.now() + laterMs);
  return new GatewayServing({ environment, objects, compute, routerUrls: [], now });
}

const championServers = (): Promise<number[]> => modelServers(chaos.world.folder);

/** Does harm to the champion, and waits until it answers again after a death around each effect. */
async function bringsItBack(harm: () => Promise<unknown>): Promise<void> {
  const { epoch } = await record();
  await chaos.forget('.');
  await chaos.killAt(`^(${effects.join('|').replaceAll('.', '\\.')})$`);
  await harm();
  const isBack = async (): Promise<boolean> => {
    const { phase, epoch: now, predecessor } = await record();
    return phase === 'running' && now > epoch && predecessor === null && (await chaos.ask()) === champion;
  };
  await until('the champion answers again', isBack, timeout / 2);
  expectKilledAround(chaos.effects, effects);
  expect((await record()).epoch).toBe(epoch + 1);
  expect(await endpointIsAtRest(chaos.world)).toEqual([]);
}

describe('a worker that is killed around every effect brings the champion back, once', () => {
  test('whose server died', { timeout }, async () => {
    await bringsItBack(async () => (await championServers()).forEach((pid) => process.kill(pid, 'SIGKILL')));
    expect(await nothingIsLeftBehind(chaos.world)).toEqual([]);
  });

  test('that was retired by a worker which knew nothing of it', { timeout }, async () => {
    await bringsItBack(() => servingElsewhere().retire(chaos.world.model, champion, { drainMs: 0 }));
    expect(await nothingIsLeftBehind(chaos.world)).toEqual([]);
  });

  test('whose host went away, and gives the first one up when it is back', { timeout }, async () => {
    const lost = (await record()).job!;
    const host = hosts.hosts[Number(lost.host.at(-1))]!;
    const [frozen] = await championServers();
    await bringsItBack(async () => {
      process.kill(frozen!, 'SIGSTOP');
      await host.stop();
    });
    expect((await record()).job).not.toMatchObject({ host: lost.host });
    process.kill(frozen!, 'SIGCONT');
    await host.start();
    // What the reaper asks, once no gateway can know the old address any more.
    expect(await servingElsewhere(10 * 60_000).isWanted(lost)).toBe(false);
    expect(await servingElsewhere(10 * 60_000).isWanted((await record()).job!)).toBe(true);
    await chaos.world.systems.compute.get('gpu').remove(lost);
    expect(await nothingIsLeftBehind(chaos.world)).toEqual([]);
  });
});
