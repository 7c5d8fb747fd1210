// Makes a version answer: launched as the registry says, ready, probed.

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';
import type { ModelVersion } from '../../systems/registry/port.js';
import type { ProbeResult } from '../../systems/serving/port.js';
import type { Systems } from '../../systems/systems.js';
import { serveSettings, type RolloutSettings, type ServeSettings } from '../schemas/rollout-settings.js';

const pollMs = 500;

export interface Pulse {
  readonly signal: AbortSignal;
  beat(details?: unknown): void;
}

/** What a version was registered with: how it is served does not depend on today's settings. */
async function registered(
  systems: Systems,
  model: string,
  version: number,
): Promise<{ found: ModelVersion; serve: ServeSettings }> {
  const found = await systems.registry.version(model, version);
  const serve = serveSettings.safeParse(found.serve);
  if (serve.success) return { found, serve: serve.data };
  const problems = serve.error.issues.map(({ path, message }) => `serve.${path.join('.')}: ${message}`).join('; ');
  throw new SystemError(
    'InvalidInput',
    `Version ${version} of ${model} cannot be served as it was registered: ${problems}.`,
  );
}

/** Joins what runs already. Throws `NotFound`, `NoCapacity`, `InvalidInput`, … */
export async function launchVersion(
  systems: Systems,
  request: { model: string; version: number; key: string },
): Promise<void> {
  const { model, version, key } = request;
  const { found, serve } = await registered(systems, model, version);
  await systems.serving.launch({
    model,
    version,
    key,
    artifact: found.artifact,
    command: serve.command,
    compute: serve.compute,
    wants: { gpus: serve.gpus, memoryBytes: serve.memoryBytes },
    environment: serve.environment,
    healthPath: serve.healthPath,
  });
}

/** Throws `JobFailed` where the program ended, `DeadlineExceeded`. */
export async function awaitReady(
  systems: Systems,
  request: { model: string; version: number; timeoutMs: number },
  pulse: Pulse,
): Promise<void> {
  const { model, version, timeoutMs } = request;
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const state = await systems.serving.state(model, version);
    pulse.beat(state.phase);
    if (state.phase === 'ready') return;
    if (state.phase === 'failed')
      throw new SystemError('JobFailed', `Version ${version} of ${model} did not come up: ${state.reason}`, {
        retryable: false,
      });
    if (performance.now() > untilMs)
      throw new SystemError('DeadlineExceeded', `Version ${version} of ${model} was not ready after ${timeoutMs} ms.`);
    await sleep(pollMs, undefined, { signal: pulse.signal });
  }
}

/**
 * Sends the registered probe twice: the first time warms the version up. Answers what came of it, in one sentence.
 * Throws `JobFailed` where a request failed, or, where it is judged, where half of them took longer than a rule allows.
 */
export async function probeVersion(
  systems: Systems,
  request: { model: string; version: number; settings: RolloutSettings; judge: boolean },
  pulse: Pulse,
): Promise<string> {
  const { model, version } = request;
  const { serve } = await registered(systems, model, version);
  await systems.serving.probe(model, version, serve.probe);
  pulse.signal.throwIfAborted();
  const result = await systems.serving.probe(model, version, serve.probe);
  const fault = faultOfProbe(result, request.judge ? request.settings : undefined);
  if (fault !== undefined)
    throw new SystemError('JobFailed', `The probe of version ${version} of ${model} failed: ${fault}`, {
      retryable: false,
      details: { ...result },
    });
  return `${result.requests} probes of version ${version} were answered, half of them within ${Math.round(result.latencyP50Ms)} ms`;
}

/** Where there is no champion the probe stands in for the canary; a median beyond a bound breaks every higher percentile's. */
function faultOfProbe(result: ProbeResult, settings: RolloutSettings | undefined): string | undefined {
  if (result.requests === 0) return 'nothing was sent.';
  if (result.errors > 0)
    return `${result.errors} of ${result.requests} requests failed${result.firstError === undefined ? '' : `: ${result.firstError}`}.`;
  for (const rule of settings?.rules ?? [])
    if (
      rule.kind === 'latency' &&
      rule.maxMs !== undefined &&
      rule.percentile >= 50 &&
      result.latencyP50Ms > rule.maxMs
    )
      return `half of the requests took longer than ${Math.round(result.latencyP50Ms)} ms, and p${rule.percentile} may be ${rule.maxMs} ms.`;
  return undefined;
}
