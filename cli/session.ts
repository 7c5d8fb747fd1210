// What a command needs of the outside world, each thing made when it is first asked for: the project, its systems, Temporal.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PawlClient, Startable } from '../client/client.js';
import type { Connection } from '@temporalio/client';
import type { ConnectedClient, TemporalSettings } from '../client/connect.js';
import { SystemError } from '../dag/failures.js';
import { findLocal, findProjectRoot, adoptLocal, type FoundLocal } from '../deploy/local/find-local.js';
import type { S3ObjectStore } from '../systems/object-store/s3.js';
import type { Project } from '../workers/project.js';
import type { DeploymentSettings } from '../workers/settings.js';
import type { ComposedSystems } from '../workers/systems.js';
import { tell, type Told } from './exit-codes.js';
import type { Output } from './output.js';
import type { RunReader } from './read-run.js';

/** Makes a thing at the first call, and answers the same one afterwards. */
const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

export class Session {
  readonly root: string;
  readonly #output: Output;
  readonly #closers: (() => Promise<void> | void)[] = [];

  /** Throws `InvalidInput` where the folder is none. */
  constructor(cwd: string | undefined, output: Output) {
    if (cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new SystemError('InvalidInput', `There is no folder ${resolve(cwd)}: -C takes the folder of a project.`);
    this.root = findProjectRoot(cwd);
    this.#output = output;
  }

  /** The `pawl dev` that runs in the project's folder; from now on the environment leads to its servers. */
  readonly local = once(async (): Promise<FoundLocal | undefined> => {
    const found = await findLocal(this.root);
    if (found === undefined) return undefined;
    const adopted = adoptLocal(process.env, found);
    if (adopted === process.env) return undefined;
    for (const name of Object.keys(process.env)) if (!(name in adopted)) delete process.env[name];
    Object.assign(process.env, adopted);
    return found;
  });

  /** The settings alone: for commands that must work while a model's file is broken. */
  readonly settings = once(async (): Promise<DeploymentSettings> => {
    await this.local();
    const { loadSettings } = await import('../workers/project.js');
    return loadSettings(this.root);
  });

  readonly project = once(async (): Promise<Project> => {
    const local = await this.local();
    const { loadProject } = await import('../workers/project.js');
    return this.#output.during('reading the project', () => loadProject(this.root, local?.files));
  });

  /** All that the project can run, by name; Pawl's own included. */
  readonly startables = once(async (): Promise<ReadonlyMap<string, Startable>> => {
    const [{ readyMadeDags, readyMadeTasks }, project] = await Promise.all([
      import('../pipelines/ready-made.js'),
      this.project(),
    ]);
    const dags = [...readyMadeDags, ...project.dags];
    const tasks = [...readyMadeTasks, ...project.tasks, ...dags.flatMap((dag) => dag.tasks)];
    return new Map([...tasks, ...dags].map((each) => [each.name, each]));
  });

  readonly systems = once(async (): Promise<ComposedSystems> => {
    const settings = await this.settings();
    const { composeSystems } = await import('../workers/systems.js');
    const systems = composeSystems(settings, this.root);
    this.#closers.push(() => systems.objects.close());
    return systems;
  });

  /** Pawl's bucket alone, for what needs no other system. */
  readonly objects = once(async (): Promise<S3ObjectStore> => {
    const { bucket } = await this.settings();
    const { S3ObjectStore } = await import('../systems/object-store/s3.js');
    const objects = new S3ObjectStore({ bucket });
    this.#closers.push(() => objects.close());
    return objects;
  });

  readonly temporal = once(async (): Promise<TemporalSettings> => {
    await this.local();
    const { temporalSettings } = await import('../client/connect.js');
    return temporalSettings();
  });

  readonly connected = once(async (): Promise<ConnectedClient> => {
    const [temporal, objects] = await Promise.all([this.temporal(), this.objects()]);
    const [{ connectClient }, { externalStorage }] = await Promise.all([
      import('../client/connect.js'),
      import('../workers/external-storage.js'),
    ]);
    const connected = await this.#output.during(`connecting to Temporal at ${temporal.address}`, () =>
      connectClient(temporal, externalStorage(objects)),
    );
    this.#closers.push(() => connected.close());
    return connected;
  });

  /** For what only an operator of the server may do. */
  async connection(): Promise<Connection> {
    return (await this.connected()).client.connection as Connection;
  }

  readonly client = once(async (): Promise<PawlClient> => {
    const [{ client }, { environment }] = await Promise.all([this.connected(), this.settings()]);
    const { PawlClient } = await import('../client/client.js');
    return new PawlClient({ client, environment });
  });

  readonly runs = once(async (): Promise<RunReader> => {
    const [client, objects, { RunReader }] = await Promise.all([
      this.client(),
      this.objects(),
      import('./read-run.js'),
    ]);
    return new RunReader(client, objects);
  });

  /** Where a person sees a workflow, if that is known. */
  async uiUrl(workflowId: string, runId?: string): Promise<string | undefined> {
    const base = (await this.local())?.uiUrl;
    if (base == null) return undefined;
    const { namespace } = await this.temporal();
    const path = [namespace, 'workflows', workflowId, ...(runId === undefined ? [] : [runId])];
    return `${base}/namespaces/${path.map(encodeURIComponent).join('/')}`;
  }

  /** What a person is told of an error. */
  async sentenceOf(error: unknown): Promise<string> {
    const told = tell(error);
    return told.message + (await this.hintFor(told));
  }

  /** What to add to an error where the reason is that nothing runs here. */
  async hintFor(told: Told): Promise<string> {
    if (told.exitCode !== 3 || told.message.includes(this.root)) return '';
    if ((await this.local().catch(() => undefined)) !== undefined) return '';
    const { readDevFile } = await import('../deploy/local/dev-file.js');
    const elsewhere = ['TEMPORAL_ADDRESS', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'TEMPORAL_PROFILE'];
    if (elsewhere.some((name) => (process.env[name] ?? '') !== '')) return '';
    if ((await readDevFile(this.root)) === undefined) return '';
    return ` pawl dev does not run in ${this.root} at the moment: start it there.`;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
