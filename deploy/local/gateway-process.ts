// The gateway as a child process, started and waited for until it answers.

import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { SystemError } from '../../dag/failures.js';
import { startGuardedProcess, type GuardedProcess } from '../embedded/child-process.js';
import { pawlProgram } from './pawl-program.js';

const startTimeoutMs = 30_000;

export interface GatewayProcessOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly port: number;
  readonly adminPort: number;
  readonly token: string;
  readonly logFile: string;
}

/** Answers once it listens. Throws `Unavailable` with what it said last. */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GuardedProcess> {
  const { environment, port, adminPort, token, logFile } = options;
  const child = await startGuardedProcess({
    ...pawlProgram('gateway/main'),
    env: {
      ...environment,
      PAWL_GATEWAY_HOST: '127.0.0.1',
      PAWL_GATEWAY_PORT: String(port),
      PAWL_GATEWAY_ADMIN_HOST: '127.0.0.1',
      PAWL_GATEWAY_ADMIN_PORT: String(adminPort),
      PAWL_GATEWAY_TOKEN: token,
    },
    logFile,
  });
  const deadline = Date.now() + startTimeoutMs;
  while (child.ended() === undefined && Date.now() < deadline) {
    if (await answers(adminPort, token)) return child;
    await sleep(50);
  }
  const ending = child.ended() ?? `it was silent for ${startTimeoutMs / 1000} s`;
  await child.stop();
  const lastLine = (await child.tail()).trim().split('\n').at(-1)?.slice(0, 400) ?? '';
  throw new SystemError('Unavailable', `The gateway did not come up (${ending}): ${lastLine || `see ${logFile}`}`);
}

async function answers(adminPort: number, token: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/health`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(2_000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
