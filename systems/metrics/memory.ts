// Metrics that a test sets, for unit and workflow tests of what is decided by them.

import { SystemError } from '../../dag/failures.js';
import type { Measurement, Metrics } from './port.js';

type Answer = Measurement | undefined | 'away';
type Source = Answer | ((windowMs: number) => Answer);

export class MemoryMetrics implements Metrics {
  readonly name = 'memory';
  readonly #sources = new Map<string, Source>();

  /** What is answered for a version from now on; `away` makes `measure` throw `Unavailable`. */
  set(model: string, version: number, source: Source): void {
    this.#sources.set(`${model}/${version}`, source);
  }

  /** So many requests of one latency, so many errors among them, and so many users who left beside them, over a whole window. */
  setTraffic(
    model: string,
    version: number,
    traffic: { requests: number; errors?: number; unanswered?: number; latencyMs?: number },
  ): void {
    const { requests, errors = 0, unanswered = 0, latencyMs = 10 } = traffic;
    this.set(model, version, (windowMs) => ({
      requests,
      errors,
      unanswered,
      latency: { boundsMs: [latencyMs], counts: [requests, 0] },
      coveredMs: windowMs,
    }));
  }

  async measure(query: { model: string; version: number; windowMs: number }): Promise<Measurement | undefined> {
    const source = this.#sources.get(`${query.model}/${query.version}`);
    const answer = typeof source === 'function' ? source(query.windowMs) : source;
    if (answer === 'away') throw new SystemError('Unavailable', 'The metrics of this test are away.');
    return answer;
  }
}
