// What the gateway adds to a request: a direct call, HAProxy and the gateway in front of the same mock model servers.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { programsOnPath } from '../../deploy/embedded/path-search.js';
import { challengerPercent, openGatewayWorld } from '../gateway-world.js';
import { startHaproxy } from '../haproxy.js';
import { cpuMsOf } from '../process-cpu.js';
import { atLeast, atMost, figure, Skipped, type Bench, type BenchContext, type Figure } from '../report.js';
import { differenceOf, spreadOf } from '../statistics.js';
import { takeTurns } from '../take-turns.js';

const connections = 4;
const requestsScript = fileURLToPath(new URL('../programs/requests.lua', import.meta.url));
const told = z.object({
  requests: z.number().positive(),
  durationUs: z.number().positive(),
  p50Us: z.number(),
  p99Us: z.number(),
  badAnswers: z.number(),
  broken: z.number(),
});

interface Seen {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly perSecond: number[];
  /** Of the proxy alone; none for a direct call. */
  readonly cpuUs: number[];
}

/** Where Debian puts servers, which is not on every user's PATH. */
const find = async (program: string): Promise<string | undefined> =>
  (await programsOnPath(program, { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }))[0];

async function load(wrk: string, url: string, seconds: number): Promise<z.output<typeof told>> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', requestsScript, `${url}/v1/completions`];
  const { stdout } = await promisify(execFile)(wrk, args);
  const result = told.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
  if (result.badAnswers + result.broken > 0)
    throw new Error(`${url} answered ${result.badAnswers} requests badly and broke ${result.broken} off`);
  return result;
}

async function sidesOf(context: BenchContext) {
  const world = await openGatewayWorld(context);
  const haproxy = await find('haproxy');
  if (haproxy === undefined) context.say('haproxy is not installed, so it is left out: apt-get install haproxy');
  const sides: Record<string, { readonly url: string; readonly pid?: number }> = {
    direct: { url: world.championUrl },
    pawl: { url: world.gatewayUrl, pid: world.gatewayPid },
  };
  if (haproxy !== undefined) sides['haproxy'] = await startHaproxy(context, haproxy, world);
  return { sides, world };
}

const emptySeen = (): Seen => ({ p50Ms: [], p99Ms: [], perSecond: [], cpuUs: [] });

export const gateway: Bench = {
  name: 'gateway',
  title: `wrk at ${connections} connections: a direct call, HAProxy, and the gateway with weights and measurement on`,
  async run(context) {
    const wrk = await find('wrk');
    if (wrk === undefined) throw new Skipped('wrk is not installed: apt-get install wrk');
    const { sides, world } = await sidesOf(context);
    const [rounds, seconds] = context.quick ? [2, 1] : [7, 5];
    const seen = new Map(Object.keys(sides).map((side) => [side, emptySeen()]));
    // Compiled code, warm connections.
    for (const { url } of Object.values(sides)) await load(wrk, url, context.quick ? 1 : 3);
    await takeTurns(
      Object.fromEntries(
        Object.entries(sides).map(([side, { url, pid }]) => [
          side,
          async (): Promise<number> => {
            const cpuBefore = pid === undefined ? undefined : cpuMsOf(pid);
            const { p50Us, p99Us, requests, durationUs } = await load(wrk, url, seconds);
            const kept = seen.get(side);
            kept?.p50Ms.push(p50Us / 1000);
            kept?.p99Ms.push(p99Us / 1000);
            kept?.perSecond.push(requests / (durationUs / 1e6));
            const cpuAfter = pid === undefined ? undefined : cpuMsOf(pid);
            if (cpuBefore !== undefined && cpuAfter !== undefined)
              kept?.cpuUs.push(((cpuAfter - cpuBefore) * 1000) / requests);
            return p50Us;
          },
        ]),
      ),
      { rounds },
    );
    const share = await world.challengerShare();
    const of = (side: string): Seen => seen.get(side) ?? emptySeen();
    const names: Readonly<Record<string, string>> = { direct: 'direct', pawl: 'gateway', haproxy: 'HAProxy' };
    const figuresOf = (side: string): Figure[] => [
      figure(`${names[side] ?? side}, p50`, 'ms', spreadOf(of(side).p50Ms)),
      figure(`${names[side] ?? side}, p99`, 'ms', spreadOf(of(side).p99Ms)),
      ...(of(side).cpuUs.length === 0
        ? []
        : [figure(`${names[side] ?? side}, CPU`, 'µs a request', spreadOf(of(side).cpuUs))]),
      ...(side === 'pawl' ? [] : [figure(`${names[side] ?? side}`, 'requests/s', spreadOf(of(side).perSecond))]),
    ];
    const added = (side: string): Figure =>
      figure(
        `median added by ${side === 'pawl' ? 'the gateway' : 'HAProxy'}`,
        'ms',
        differenceOf(of(side).p50Ms, of('direct').p50Ms),
      );
    return {
      aimed: [
        atMost(0.35, added('pawl')),
        atLeast(7_000, figure('gateway', 'requests/s', spreadOf(of('pawl').perSecond))),
      ],
      figures: [...('haproxy' in sides ? [added('haproxy')] : []), ...Object.keys(sides).flatMap(figuresOf)],
      notes: [
        'wrk, the servers and what stands before them share this machine; the same POST of JSON on all ways, in turns',
        `${challengerPercent} % to a second server on both proxies; the gateway finds the model in the body, takes its name out, holds the lease and counts every request: ${(share * 100).toFixed(1)} % went to the challenger, none failed`,
        'HAProxy with one thread, as the gateway has one' +
          ('haproxy' in sides ? '' : '; left out here: haproxy is not installed'),
      ],
    };
  },
};
