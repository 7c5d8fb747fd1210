// The demo's users: so many requests a second through the gateway, and never more than a set number in all or at a time.
// Three in ten ask about a long passage.

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Section } from './documents.js';
import { question } from './models/docs-router.js';

export interface TrafficOptions {
  readonly gatewayUrl: string;
  readonly model: string;
  readonly sections: readonly Section[];
  readonly perSecond: number;
  /** The generator ends by itself then. */
  readonly maxRequests: number;
}

export interface Failure {
  /** When the answer came, by `Date.now()`. */
  readonly atMs: number;
  /** `null`: there was no answer. */
  readonly status: number | null;
  readonly version: string | null;
}

const shortCharacters = 240;
const longCharacters = 1_200;
const mostAtOnce = 64;
/** A user who is given no answer for so long has lost the request. */
const patienceMs = 60_000;

/** What users ask: deterministic, short and long passages mixed. Pure. */
export function promptsOf(sections: readonly Section[]): readonly string[] {
  return sections.map(({ text, package: name }, index) => {
    if (![2, 5, 8].includes(index % 10)) return text.slice(0, shortCharacters) + question;
    const following = sections.slice(index).filter((section) => section.package === name);
    return (
      following
        .map((section) => section.text)
        .join('\n\n')
        .slice(0, longCharacters) + question
    );
  });
}

export class Traffic {
  readonly failures: Failure[] = [];
  #sent = 0;
  #answered = 0;
  readonly #options: TrafficOptions;
  readonly #prompts: readonly string[];
  readonly #pool: Pool;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #sending: Promise<void>;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#prompts = promptsOf(options.sections);
    this.#pool = new Pool(options.gatewayUrl, { connections: mostAtOnce });
    this.#sending = this.#send();
  }

  get sent(): number {
    return this.#sent;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Sends no more, and waits for the answers to what was sent. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    await Promise.all(this.#underWay);
    await this.#pool.close();
  }

  async #send(): Promise<void> {
    const { perSecond, maxRequests } = this.#options;
    const beganMs = performance.now();
    for (let turn = 1; !this.#stopping.signal.aborted && this.#sent < maxRequests; turn += 1) {
      // When more are waited for than this, a turn is left out: a slow machine gets fewer users, not a heap of them.
      if (this.#underWay.size < mostAtOnce) {
        const asking = this.#ask(this.#prompts[this.#sent % this.#prompts.length] ?? question).finally(() =>
          this.#underWay.delete(asking),
        );
        this.#underWay.add(asking);
      }
      const nextMs = beganMs + (turn * 1000) / perSecond - performance.now();
      await sleep(Math.max(0, nextMs), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  async #ask(prompt: string): Promise<void> {
    this.#sent += 1;
    try {
      const { statusCode, headers, body } = await this.#pool.request({
        method: 'POST',
        path: `/models/${this.#options.model}/v1/completions`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt, max_tokens: 8, temperature: 0 }),
        signal: AbortSignal.timeout(patienceMs),
      });
      await body.dump();
      this.#answered += 1;
      if (statusCode < 400) return;
      const version = headers['x-pawl-version'];
      this.#fail(statusCode, typeof version === 'string' ? version : null);
    } catch {
      this.#fail(null, null);
    }
  }

  #fail(status: number | null, version: string | null): void {
    this.failures.push({ atMs: Date.now(), status, version });
  }
}
