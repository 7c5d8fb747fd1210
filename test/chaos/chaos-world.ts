// A world in which workers die at their effects while the lifecycle runs and users ask: what the tests of chaos share.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { rolloutWorkflowId } from '../../dag/rollout-id.js';
import type { Run } from '../../client/client.js';
import { SshCompute } from '../../systems/compute/ssh.js';
import type { S3Access } from '../../deploy/embedded/s3-server.js';
import { LifecycleWorld, modelFile, questions } from '../fixtures/lifecycle-world.js';
import { until } from '../fixtures/until.js';
import { readEffectLog, type EffectLog } from './effects.js';
import {
  endpointIsAtRest,
  historyIsSound,
  jobsAreStartedOnce,
  nothingIsLeftBehind,
  productionMovedOneNotch,
  requestsAreAnswered,
  versionsAreOneEach,
} from './invariants.js';
import { deploymentSettings, type DeploymentSettings } from '../../workers/settings.js';
import { composeSystems } from '../../workers/systems.js';
import { KeptWorker } from './kept-worker.js';

const here = (path: string): string => new URL(path, import.meta.url).pathname;
const own = (name: string): string => readFileSync(here(`../../examples/own-program/${name}`), 'utf8');
const sources = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, own(name)]));
/** The team's server, which takes this long to come up. */
export const slowServer = (delayMs: number): string =>
  `await new Promise((resolve) => setTimeout(resolve, ${delayMs}));\n${own('serve.mjs')}`;

/** Begins its answers at once, takes this long over each, and is gone at once when it is told to end. */
export const slowAnswers = (answerMs: number): string => `
import { createServer } from 'node:http';
createServer(async (request, response) => {
  for await (const _ of request);
  response.writeHead(200, { 'content-type': 'application/json' });
  if (request.url === '/health') return response.end('{}');
  response.write('{');
  setTimeout(() => response.end('}'), ${answerMs});
}).listen(Number(process.argv[3]), '127.0.0.1');
`;

const counted = { 'counted.mjs': readFileSync(here('programs/counted.mjs'), 'utf8') };

/** One weight that is watched for long enough that a fault meets it. */
export const steady = { weights: [50], pauseMs: 6_000, leaseMs: 30_000 };

/** A worker is replaced well within this lease, and many of them one after the other before the deadline. */
const patient = { leaseMs: 40_000, deadlineMs: 1_800_000, readyTimeoutMs: 600_000 };

export interface ChaosRun {
  readonly outcome: string;
  readonly version: number | null;
  readonly reason: string;
  readonly championBefore: number | null;
  readonly violations: readonly string[];
  readonly deaths: number;
}

export interface ConductOptions {
  /** Versions that users may see fail. */
  readonly mayFail?: readonly number[];
  readonly withoutTraffic?: boolean;
  /** How many ask at the same time: one unless set. */
  readonly users?: number;
  /** Jobs of the run may be begun anew: the fault was theirs. */
  readonly mayResume?: boolean;
}

export interface LifecycleOptions {
  readonly epochs: number;
  readonly data?: string;
  readonly rollout?: object;
  /** In place of the team's server. */
  readonly server?: string;
  readonly probe?: string;
  /** The compute system that serves: the model's own unless set. */
  readonly serveOn?: string;
  /** Versions that users may see fail. */
  readonly mayFail?: readonly number[];
  readonly users?: number;
  readonly train?: { readonly settings?: object; readonly [more: string]: unknown };
}

export class ChaosWorld {
  readonly #startsFile: string;
  readonly #logFile: string;
  worker!: KeptWorker;
  #gateway: Awaited<ReturnType<LifecycleWorld['startGateway']>> | undefined;
  #rows = 0;

  private constructor(
    readonly world: LifecycleWorld,
    private readonly gatewayS3Endpoint: string | undefined,
  ) {
    this.#startsFile = join(world.folder, 'starts');
    this.#logFile = join(world.folder, 'effects');
  }

  static async open(
    servers: { temporal: { address: string }; s3: S3Access; workerS3Endpoint?: string; gatewayS3Endpoint?: string },
    kill = '',
    computeOf?: (folder: string) => Promise<DeploymentSettings['compute']>,
  ): Promise<ChaosWorld> {
    const chaos = new ChaosWorld(await LifecycleWorld.open(servers), servers.gatewayS3Endpoint);
    if (computeOf !== undefined) {
      const { world } = chaos;
      const compute = await computeOf(world.folder);
      await writeFile(join(world.folder, 'pawl.config.mjs'), `export default ${JSON.stringify({ compute })};`);
      const { environment, bucket, routerUrl } = world;
      const settings = deploymentSettings.parse({ environment, bucket, routers: [routerUrl], compute });
      world.systems.objects.close();
      world.systems = composeSystems(settings, world.folder);
    }
    await Promise.all([chaos.#startGateway(), chaos.world.putData('more', chaos.freshRows())]);
    chaos.worker = new KeptWorker({ log: chaos.#logFile, kill }, () => chaos.#forkWorker(servers.workerS3Endpoint));
    return chaos;
  }

  async #startGateway(): Promise<void> {
    const env = this.gatewayS3Endpoint === undefined ? {} : { AWS_ENDPOINT_URL_S3: this.gatewayS3Endpoint };
    this.#gateway = await this.world.startGateway(env);
  }

  /** kill -9, and another one in its place, on the same ports. */
  async restartGateway(): Promise<void> {
    await this.#gateway?.end('SIGKILL');
    await this.#startGateway();
  }

  /** Rows that nobody has seen. */
  freshRows(): string {
    this.#rows += 1;
    return questions({ seed: `number ${this.#rows}` });
  }

  #forkWorker(s3Endpoint: string | undefined) {
    const files = [modelFile, here('hasty-lifecycle.ts')];
    const env = s3Endpoint === undefined ? {} : { AWS_ENDPOINT_URL_S3: s3Endpoint };
    return this.world.fork('test/chaos/worker.ts', [this.world.folder, ...files], env).process;
  }

  /** Which sites kill from now on. */
  async killAt(sites: string): Promise<void> {
    await this.worker.setPlan({ log: this.#logFile, kill: sites });
  }

  /** Kills once more around these sites, as a regular expression. */
  async forget(sites: string): Promise<void> {
    const wanted = new RegExp(sites);
    const lines = readFileSync(this.#logFile, 'utf8').split('\n');
    const kept = lines.filter((line) => line.startsWith('reached') || !wanted.test(line));
    await this.worker.pauseWhile(() => writeFileSync(this.#logFile, kept.join('\n')));
  }

  async versions(): Promise<number[]> {
    const numbers: number[] = [];
    for await (const { version } of this.world.systems.registry.versions(this.world.model)) numbers.push(version);
    return numbers;
  }

  async lastChange(): Promise<string | undefined> {
    return (await this.world.systems.endpoints.read(this.world.model))?.state.change.kind;
  }

  /** What happened to the endpoint since the last trial began. */
  async lastTrial(): Promise<string[]> {
    const kinds: string[] = [];
    for await (const { change } of this.world.systems.endpoints.history(this.world.model)) {
      if (change.kind === 'trial') kinds.length = 0;
      kinds.push(change.kind);
    }
    return kinds;
  }

  get effects(): EffectLog {
    return readEffectLog(this.#logFile);
  }

  params(options: LifecycleOptions): { model: string; overrides: Record<string, unknown> } {
    const { epochs, data = 'intents', rollout = {}, server, probe, serveOn, train = {} } = options;
    const files = { ...sources('train.mjs', 'serve.mjs', 'classifier.mjs', 'contract.mjs'), ...counted };
    const params = this.world.params({
      data,
      settings: { epochs, startsFile: this.#startsFile },
      train: {
        command: ['node', 'counted.mjs', 'train.mjs'],
        files: { ...files, ...(server === undefined ? {} : { 'serve.mjs': server }) },
        ...train,
        settings: { epochs, rate: 0.5, startsFile: this.#startsFile, ...train.settings },
      },
      rollout: { ...patient, ...rollout },
    });
    const evaluate = {
      command: ['node', 'counted.mjs', 'evaluate.mjs'],
      files: { ...sources('evaluate.mjs', 'classifier.mjs', 'contract.mjs'), ...counted },
      settings: { slices: ['language'], startsFile: this.#startsFile },
    };
    const serve = {
      ...(probe === undefined ? {} : { probe: { path: '/v1/completions', bodies: [probe] } }),
      ...(serveOn === undefined ? {} : { compute: serveOn }),
    };
    return { ...params, overrides: { ...params.overrides, evaluate, serve } };
  }

  /** Runs the lifecycle under traffic to its end, and checks what must then hold. */
  async lifecycle(options: LifecycleOptions): Promise<ChaosRun> {
    return this.conduct(() => this.world.run(this.params(options), 'hasty-lifecycle'), options);
  }

  /** Starts the lifecycle, for a fault to meet it on its way. */
  async begin(options: LifecycleOptions): Promise<Run> {
    return this.world.client.start('hasty-lifecycle', this.params(options));
  }

  async endOf(run: Run): Promise<{ outcome: string; output: Record<string, unknown> }> {
    const { outcome, output } = await this.world.client.result(run);
    return { outcome, output: output as Record<string, unknown> };
  }

  /** What Temporal shows of a run's activities that are tried again. */
  async pendingFailures(run: Run): Promise<unknown[]> {
    const description = await this.world.temporal.workflow.getHandle(run.workflowId).describe();
    return (description.raw.pendingActivities ?? []).map(({ lastFailure }) => lastFailure);
  }

  /** Runs the lifecycle up to its first weight, does harm, and waits for its end. */
  async harmTrial(options: LifecycleOptions, harm: (run: Run) => Promise<void>): Promise<ChaosRun> {
    return this.conduct(async () => {
      const run = await this.begin({ ...options, rollout: { ...steady, ...options.rollout } });
      await this.whileOpen(run, this.onTrial());
      await harm(run);
      return this.endOf(run);
    }, options);
  }

  /** Fails at once where the run ends before what is waited for. */
  async whileOpen<T>(run: Run, waiting: Promise<T>): Promise<T> {
    const ended = this.endOf(run).then(({ outcome, output }) => {
      throw new Error(`the run ended ${outcome} before its fault met it: ${JSON.stringify(output)}`);
    });
    return Promise.race([waiting, ended]);
  }

  /** The challenger has its weight, and the gateway follows. */
  async onTrial(): Promise<void> {
    const { world } = this;
    await until(
      'the challenger is on trial',
      async () => (await world.endpoint())?.weights.challenger === steady.weights[0],
      240_000,
    );
    const { challenger } = (await world.endpoint()) ?? {};
    await until('users reach it', async () => (await this.ask()) === challenger, 60_000);
  }

  /** Which version answers a user now; nobody where it takes longer than ten seconds. */
  async ask(): Promise<number | undefined> {
    const { ports, model } = this.world;
    const answer = await fetch(`http://127.0.0.1:${ports.data}/models/${model}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"prompt":"where is my parcel"}',
      signal: AbortSignal.timeout(10_000),
    }).catch((error: Error) => {
      if (error.name === 'TimeoutError') return undefined;
      throw error;
    });
    if (answer === undefined) return undefined;
    await answer.arrayBuffer();
    const version = answer.headers.get('x-pawl-version');
    return version === null ? undefined : Number(version);
  }

  /** Types a command of Pawl's, as an engineer of this environment. */
  async pawl(...args: string[]): Promise<{ code: number | null; answer: string }> {
    const { environment, bucket, routerUrl, folder } = this.world;
    const variables = { PAWL_ENVIRONMENT: environment, PAWL_BUCKET: bucket, PAWL_ROUTERS: routerUrl };
    const child = spawn(process.execPath, ['--import', 'tsx', here('../../cli/main.ts'), ...args, '-C', folder], {
      cwd: here('../..'),
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [answer, noise] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, answer: answer + noise };
  }

  /** Nobody but the champion answers, twenty times in a row. */
  async onlyChampionAnswers(champion: number, withinMs: number): Promise<void> {
    const twentyTimes = async (): Promise<boolean> => {
      for (let times = 0; times < 20; times += 1) if ((await this.ask()) !== champion) return false;
      return true;
    };
    await until(`version ${champion} alone answers`, twentyTimes, withinMs);
  }

  /** The same for any run about the model. */
  async conduct(
    act: () => Promise<{ outcome: string; output: Record<string, unknown> }>,
    options: ConductOptions = {},
  ): Promise<ChaosRun> {
    const championBefore = (await this.world.endpoint())?.champion ?? null;
    const deathsBefore = this.worker.deaths;
    // Before the first promotion there is nobody to answer.
    const traffic =
      championBefore === null || options.withoutTraffic === true
        ? undefined
        : this.world.startTraffic(50, options.users);
    const { outcome, output } = await act().finally(() => traffic?.stop());
    await this.rest();
    const version = (output['version'] as number | null | undefined) ?? null;
    const { world } = this;
    const violations = [
      ...(await jobsAreStartedOnce(world, this.#startsFile, options.mayResume === true)),
      ...(await versionsAreOneEach(world)),
      ...(await historyIsSound(world)),
      ...(await endpointIsAtRest(world)),
      ...(await nothingIsLeftBehind(world)),
      ...requestsAreAnswered(traffic?.counts ?? new Map(), options.mayFail),
      ...(await productionMovedOneNotch(world, { outcome, version, championBefore })),
    ];
    const said = output['rollout'] ?? output['verdict'] ?? output['reason'];
    const reason = typeof said === 'string' ? said : '';
    return { outcome, version, reason, championBefore, violations, deaths: this.worker.deaths - deathsBefore };
  }

  /** Nothing is left to do for the endpoint. */
  async rest(): Promise<void> {
    const handle = this.world.temporal.workflow.getHandle(rolloutWorkflowId(this.world.environment, this.world.model));
    await until(
      'the rollout has nothing left to do',
      async () => {
        try {
          return (await handle.describe()).status.name !== 'RUNNING';
        } catch {
          return true;
        }
      },
      120_000,
    );
  }

  /** The list of effects with where a worker died at them. */
  report(title: string): string {
    const { reached, kills } = this.effects;
    const lines = [...reached].sort().map(([site, times], index) => {
      const at = kills.get(site);
      const killed =
        at === undefined ? 'not killed' : ['before', 'after'].filter((when) => at.has(when as 'before')).join(', ');
      return `${String(index + 1).padStart(3)}  ${site.padEnd(44)} reached ${String(times).padStart(3)} times, killed ${killed}`;
    });
    return `${title}: ${this.worker.deaths} workers died\n${lines.join('\n')}`;
  }

  async close(): Promise<void> {
    try {
      await this.worker.stop();
    } finally {
      await this.world.close();
      for (const name of this.world.systems.compute.names) {
        const compute = this.world.systems.compute.get(name);
        if (compute instanceof SshCompute) await compute.close();
      }
    }
  }
}
