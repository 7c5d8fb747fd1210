// How long a bad version keeps its share: from the first request that it fails to the moment when no request can reach it.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpRouter } from '../../systems/serving/http-router.js';
import { LifecycleWorld } from '../../test/fixtures/lifecycle-world.js';
import { atMost, figure, type Bench } from '../report.js';
import { openS3, openTemporal } from '../servers.js';
import { spreadOf } from '../statistics.js';

const analysisIntervalMs = 1_000;
const weightPercent = 25;
const users = 10;
const pauseOfUserMs = 40;
const lookEveryMs = 5;

const programs = new URL('../../examples/own-program/', import.meta.url);
const source = (name: string): string => readFileSync(new URL(name, programs), 'utf8');
const goodAnswer = '{ prompt } = JSON.parse(body);';
/** It passes its probe, and answers 500 to whatever else it is asked: a fault that shows on live traffic alone. */
const badServer = source('serve.mjs').replace(
  goodAnswer,
  `${goodAnswer}\n    if (prompt !== 'where is my parcel') return send(500, { error: 'the context is too short' });`,
);

const rollout = {
  weights: [weightPercent, 100],
  pauseMs: 60_000,
  minRequests: 20,
  analysisIntervalMs,
  rules: [{ kind: 'errorRate', maxIncrease: 0.05 }],
};

export const canary: Bench = {
  name: 'canary',
  title: `from the first bad canary request to 0 %, the traffic looked at every ${analysisIntervalMs / 1000} s`,
  async run(context) {
    if (!badServer.includes('too short')) throw new Error('the bad server is as good as the other one');
    const [temporal, s3] = await Promise.all([openTemporal(context), openS3(context)]);
    const world = await LifecycleWorld.open({ temporal, s3 });
    context.onEnd(() => world.close());
    await Promise.all([world.startGateway(), world.startWorker()]);
    const first = await world.run(world.params());
    if (first.outcome !== 'promoted') throw new Error(`the first version ended ${first.outcome}`);
    context.say('a champion serves');

    const reactions: number[] = [];
    const failed: number[] = [];
    for (let round = 0; round < (context.quick ? 1 : 5); round++) {
      const version = round + 2;
      const traffic = new LiveTraffic(world, version);
      const files = { ...filesOfTrainer(), 'serve.mjs': badServer };
      const settings = { epochs: 9 + round };
      const params = world.params({ train: { files, settings: { ...trainSettings, ...settings } }, rollout });
      const { outcome } = await world.run(params).finally(() => traffic.stop());
      const { reactionMs, badAnswers } = traffic.seen();
      if (outcome !== 'rolled-back') throw new Error(`the bad version ended ${outcome}`);
      reactions.push(reactionMs);
      failed.push(badAnswers);
      context.say(`rolled back after ${Math.round(reactionMs)} ms`);
    }
    return {
      aimed: [atMost(analysisIntervalMs + 1_000, figure('first bad request to 0 %', 'ms', spreadOf(reactions)))],
      figures: [figure('requests that users saw fail', 'requests', spreadOf(failed))],
      notes: [
        `real Temporal, S3, gateway, worker and model servers, each its own process; ${users} users who ask every ${pauseOfUserMs} ms, ${weightPercent} % of them at the challenger, which fails every one`,
        'the end is when the gateway itself says that no new request could go to the version',
      ],
    };
  },
};

const trainSettings = { rate: 0.5, seed: 1 };
const filesOfTrainer = (): Record<string, string> =>
  Object.fromEntries(['train.mjs', 'classifier.mjs', 'contract.mjs'].map((name) => [name, source(name)]));

/** Users who ask all the while, and a look at the gateway from the first failure on. */
class LiveTraffic {
  readonly #stopping = new AbortController();
  readonly #loops: Promise<unknown>;
  readonly #router: HttpRouter;
  #watching: Promise<void> | undefined;
  #firstBadMs: number | undefined;
  #endedMs: number | undefined;
  #badAnswers = 0;

  constructor(
    private readonly world: LifecycleWorld,
    private readonly version: number,
  ) {
    this.#router = new HttpRouter({ url: world.routerUrl });
    this.#loops = Promise.all(Array.from({ length: users }, () => this.#ask()));
    this.#loops.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loops;
    await this.#watching;
  }

  seen(): { reactionMs: number; badAnswers: number } {
    if (this.#firstBadMs === undefined || this.#endedMs === undefined) throw new Error('no user met the bad version');
    return { reactionMs: this.#endedMs - this.#firstBadMs, badAnswers: this.#badAnswers };
  }

  async #ask(): Promise<void> {
    const { data } = this.world.ports;
    while (!this.#stopping.signal.aborted) {
      const answer = await fetch(`http://127.0.0.1:${data}/models/${this.world.model}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"prompt":"when does my order arrive"}',
      });
      await answer.arrayBuffer();
      if (answer.status >= 500) this.#sawBad(answer.headers.get('x-pawl-version'));
      await sleep(pauseOfUserMs);
    }
  }

  #sawBad(version: string | null): void {
    if (version !== String(this.version)) throw new Error(`version ${version ?? '?'} failed a request`);
    this.#badAnswers++;
    if (this.#firstBadMs !== undefined) return;
    this.#firstBadMs = performance.now();
    this.#watching = this.#watch();
    // Whoever stops the traffic hears of it.
    this.#watching.catch(() => undefined);
  }

  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { routed } = await this.#router.traffic(this.world.model, this.version);
      if (!routed) {
        this.#endedMs = performance.now();
        return;
      }
      await sleep(lookEveryMs);
    }
  }
}
