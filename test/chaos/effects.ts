// Stands between a worker and the world, and kills the worker's own process with SIGKILL at its effects: before the first time
// that each is reached, after the second time, never again. What happened stands in a file that outlives every process.

import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Around } from '../../workers/systems.js';
import { jobSite, objectSite } from './effect-sites.js';

export type Moment = 'before' | 'after';

export interface EffectPlan {
  /** Where effects and kills are written down, one a line. */
  readonly log: string;
  /** Which sites kill, as a regular expression; none where it is empty. */
  readonly kill: string;
}

export interface EffectLog {
  /** Every site that was reached, with how often. */
  readonly reached: ReadonlyMap<string, number>;
  readonly kills: ReadonlyMap<string, ReadonlySet<Moment>>;
}

export function readEffectLog(path: string): EffectLog {
  const reached = new Map<string, number>();
  const kills = new Map<string, Set<Moment>>();
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Nothing has happened yet.
  }
  for (const line of text.split('\n')) {
    const [word, site = ''] = line.split('\t');
    if (word === 'reached') reached.set(site, (reached.get(site) ?? 0) + 1);
    if (word === 'before' || word === 'after') kills.set(site, new Set([...(kills.get(site) ?? []), word]));
  }
  return { reached, kills };
}

export class Effects {
  readonly #plan: EffectPlan;
  readonly #sites: RegExp | undefined;
  readonly #kills: EffectLog['kills'];
  /** Effects that are under way, and the last thing that this process does. */
  readonly #fatal = new Set<{ readonly site: string; readonly done: Promise<unknown> }>();
  #isDying = false;

  constructor(plan: EffectPlan) {
    this.#plan = plan;
    this.#sites = plan.kill === '' ? undefined : new RegExp(plan.kill);
    this.#kills = readEffectLog(plan.log).kills;
  }

  readonly around: Around = (what, real) => {
    switch (what) {
      case 'objects':
        return intercepted(real, {
          put: (call, key, body) => this.#at(`objects.put ${objectSite(String(key), body)}`, call),
          delete: (call, key) => this.#at(`objects.delete ${objectSite(String(key))}`, call),
        });
      case 'compute':
        return intercepted(real, {
          submit: (call, job) => this.#at(jobSite('submit', job as { key: string }), call),
          end: (call, job) => this.#at(jobSite('end', job as { key: string }), call),
          remove: (call, job) => this.#at(jobSite('remove', job as { key: string }), call),
        });
      case 'serving':
        return intercepted(real, {
          probe: (call) => this.#at('serving.probe', call),
          routers: async (call) => {
            const routers = (await call()) as readonly object[];
            return routers.map((router) =>
              intercepted(router, {
                sync: (sync) => this.#at('router.sync', sync),
                renewLease: (renew) => this.#at('router.renewLease', renew),
              }),
            );
          },
        });
      case 'temporal':
        return replaced(real, 'workflow', (workflow) =>
          intercepted(workflow, {
            executeUpdateWithStart: (call, _update, options) =>
              this.#at(`temporal.begin ${kindOfRequest(options)}`, call),
          }),
        );
    }
  };

  async #at(site: string, effect: () => unknown): Promise<unknown> {
    // What a process begins while it waits to die would happen unseen.
    if (this.#isDying) return new Promise(() => undefined);
    appendFileSync(this.#plan.log, `reached\t${site}\t${new Date().toISOString()}\n`);
    if (this.#kill(site, 'before')) await this.#die('before', site);
    if (!this.#kill(site, 'after')) return effect();
    const fatal = { site, done: Promise.resolve(effect()) };
    this.#fatal.add(fatal);
    const answer = await fatal.done.finally(() => this.#fatal.delete(fatal));
    await this.#die('after', site);
    return answer;
  }

  #kill(site: string, moment: Moment): boolean {
    return this.#sites?.test(site) === true && this.#kills.get(site)?.has(moment) !== true;
  }

  /** Others that are to die after their effect have it first: otherwise that moment would never come again. */
  async #die(moment: Moment, site: string): Promise<never> {
    this.#isDying = true;
    const others = [...this.#fatal];
    const ended = await Promise.allSettled(others.map(({ done }) => done));
    const after = others.filter((_, index) => ended[index]?.status === 'fulfilled').map((other) => other.site);
    const at = new Date().toISOString();
    const file = openSync(this.#plan.log, 'a');
    writeSync(
      file,
      [`${moment}\t${site}`, ...after.map((other) => `after\t${other}`)].map((line) => `${line}\t${at}\n`).join(''),
    );
    fsyncSync(file);
    closeSync(file);
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment; nothing may happen in it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    throw new Error('a dead process went on');
  }
}

type Interception = (call: () => unknown, ...args: readonly unknown[]) => unknown;

/** The same object, with some of its methods seen first. Its private fields are its own, so methods stay bound to it. */
function intercepted<S extends object>(real: S, methods: Readonly<Record<string, Interception>>): S {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      const interception = methods[String(name)];
      return interception === undefined ? method : (...args: unknown[]) => interception(() => method(...args), ...args);
    },
  });
}

function replaced<S extends object>(real: S, property: string, change: (value: object) => object): S {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      return name === property ? change(value as object) : value;
    },
  });
}

const kindOfRequest = (options: unknown): string =>
  (options as { args?: readonly { kind?: string }[] }).args?.[0]?.kind ?? 'unknown';
