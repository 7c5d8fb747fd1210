// HAProxy as the peer of the gateway: one thread, the same two servers, the same weights.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGuardedProcess } from '../deploy/embedded/child-process.js';
import { freePort } from '../deploy/embedded/ports.js';
import { challengerPercent, type GatewayBenchWorld } from './gateway-world.js';
import type { BenchContext } from './report.js';

/** Answers once it passes requests on. */
export async function startHaproxy(
  context: BenchContext,
  program: string,
  { championUrl, challengerUrl }: GatewayBenchWorld,
): Promise<{ readonly url: string; readonly pid: number }> {
  const port = await freePort();
  const file = join(context.folder, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend users
  bind 127.0.0.1:${port}
  default_backend versions
backend versions
  balance roundrobin
  server champion ${new URL(championUrl).host} weight ${100 - challengerPercent}
  server challenger ${new URL(challengerUrl).host} weight ${challengerPercent}
`,
  );
  const child = await startGuardedProcess({ command: program, args: ['-db', '-q', '-f', file] });
  context.onEnd(() => child.stop(500));
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url))) {
    if (child.ended() !== undefined) throw new Error(`HAProxy ended before it listened: ${await child.tail()}`);
    await sleep(20);
  }
  return { url, pid: child.pid };
}

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/v1/completions`, { method: 'POST', body: '{}' })).ok;
  } catch {
    return false;
  }
};
