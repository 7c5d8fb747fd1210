// Talks straight to one model server, past the gateways: is it healthy, and does it answer what a user would ask?

import { request } from './http-request.js';
import { rewriteModel } from './model-field.js';
import type { ProbeResult } from './port.js';
import type { ModelField } from './record.js';

/** Whether the server answers 200 at its health path within `timeoutMs`. Never throws. */
export async function isHealthy(url: string, healthPath: string, timeoutMs = 2_000): Promise<boolean> {
  try {
    const response = await request(url.replace(/\/+$/, '') + healthPath, { signal: AbortSignal.timeout(timeoutMs) });
    await response.body.dump();
    return response.statusCode === 200;
  } catch {
    return false;
  }
}

/** Sends every body, one after the other; anything but a 2xx answer is an error. */
export async function probeServer(
  server: { readonly url: string; readonly modelField: ModelField },
  probe: { readonly path: string; readonly bodies: readonly string[]; readonly timeoutMs: number },
): Promise<ProbeResult> {
  const latenciesMs: number[] = [];
  let errors = 0;
  let firstError: string | undefined;
  for (const body of probe.bodies) {
    const startedMs = performance.now();
    const problem = await askOnce(server, { ...probe, body });
    if (problem === undefined) latenciesMs.push(performance.now() - startedMs);
    else {
      errors += 1;
      firstError ??= problem;
    }
  }
  latenciesMs.sort((left, right) => left - right);
  const latencyP50Ms = latenciesMs[Math.floor((latenciesMs.length - 1) / 2)] ?? 0;
  return { requests: probe.bodies.length, errors, latencyP50Ms, ...(firstError === undefined ? {} : { firstError }) };
}

async function askOnce(
  server: { readonly url: string; readonly modelField: ModelField },
  question: { readonly path: string; readonly body: string; readonly timeoutMs: number },
): Promise<string | undefined> {
  try {
    const { statusCode, body } = await request(server.url.replace(/\/+$/, '') + question.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: rewriteModel(Buffer.from(question.body), server.modelField),
      signal: AbortSignal.timeout(question.timeoutMs),
    });
    const text = await body.text();
    return statusCode >= 200 && statusCode < 300 ? undefined : `It answered ${statusCode}: ${text.slice(0, 300)}`;
  } catch (error) {
    return `It did not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}
