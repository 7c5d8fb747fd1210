// Everything for one machine: Temporal, S3, a gateway and a worker as child processes on loopback, in a project's folder.
// What `pawl dev` runs; the demo and the tests use it as a library.

import { resolve } from 'node:path';
import { loadProject } from '../../workers/project.js';
import { summarize, type ProjectSummary } from '../../workers/project-summary.js';
import type { DeploymentSettings } from '../../workers/settings.js';
import { ensurePython } from '../embedded/python.js';
import type { S3Access } from '../embedded/s3-server.js';
import { readDevFile, writeDevFile, type LocalPorts } from './dev-file.js';
import { endLocalJobs } from './end-jobs.js';
import { lockFolder, refuseHeldFolder } from './folder-lock.js';
import { localVariables, withLocalVariables } from './local-environment.js';
import type { LocalEvent } from './local-event.js';
import { keptGateway, keptWorker } from './local-processes.js';
import { createBucket, startServers } from './local-servers.js';
import { choosePorts, keysOf } from './local-settings.js';
import { reloadOnChange } from './reload-worker.js';

export interface LocalOptions {
  /** The project's folder; what is kept from start to start lies in `.pawl` below it. */
  readonly root: string;
  /** Files with DAGs, tasks and models; found by convention unless set. */
  readonly files?: readonly string[];
  /** Those of the last start, free ones at first, unless set. */
  readonly ports?: Partial<LocalPorts>;
  /** `process.env` unless set. */
  readonly environment?: NodeJS.ProcessEnv;
  /** What is being done at the moment, line by line. */
  readonly onProgress?: (line: string) => void;
  /** What happened while it runs: a reload, a worker that died. */
  readonly onEvent?: (event: LocalEvent) => void;
  /** Each line of the worker's log. */
  readonly onWorkerLine?: (line: string) => void;
  /** Reload the worker when a file of the project changes; not unless set. */
  readonly watch?: boolean;
}

export interface Local {
  readonly root: string;
  readonly environment: string;
  readonly bucket: string;
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string | undefined };
  readonly s3: S3Access | undefined;
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  readonly settings: DeploymentSettings;
  /** What the worker found. */
  readonly project: ProjectSummary;
  /** The variables by which another process reaches the same servers. */
  readonly variables: Readonly<Record<string, string>>;
  readonly workerPid: number | undefined;
  /** kill -9; no other worker starts until `restartWorker`. Answers the process id that it had. */
  killWorker(): Promise<number | undefined>;
  /** A new worker, in place of the one that runs, if one does. Answers its process id once it works. */
  restartWorker(): Promise<number>;
  /** Resolves, with a sentence, when a server is gone without which nothing works. */
  readonly broken: Promise<string>;
  /** Ends all of it, jobs and model servers included. Idempotent. */
  stop(onProgress?: (line: string) => void): Promise<void>;
}

/** Throws `Conflict` where `pawl dev` runs in the folder already, `InvalidInput` for files that do not load, `Unavailable`. */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const root = resolve(options.root);
  const {
    files = [],
    environment: outer = process.env,
    onProgress = () => undefined,
    onEvent = () => undefined,
  } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const stopAll = async (): Promise<void> => {
    const failed: unknown[] = [];
    // One that cannot be ended in order must not keep the others running.
    for (const stop of stops.splice(0).reverse()) await stop().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  };
  try {
    // Before the project is read, so that a second one is refused at once.
    await refuseHeldFolder(root);
    onProgress('reading the project');
    const project = await loadProject(root, files);
    const { settings } = project;
    stops.push(await lockFolder(root));
    const before = await readDevFile(root);
    const { ports, moved } = await choosePorts(options.ports ?? {}, before?.ports ?? {});
    for (const message of moved) onEvent({ kind: 'port-moved', message });
    const keys = keysOf(before);
    await writeDevFile(root, { schema: 1, ports, keys, running: null });

    const python = { path: outer['PAWL_PYTHON'] };
    const preparePython = async (summary: ProjectSummary): Promise<boolean> => {
      if (!summary.needsJobPython || python.path !== undefined) return false;
      onProgress("looking for Python's packages for jobs");
      python.path = (await ensurePython({ onProgress, environment: outer })).python;
      return true;
    };

    onProgress('starting Temporal and S3');
    const { temporal, s3 } = await startServers({ root, ports, keys, environment: outer, onProgress }, stops);
    await preparePython(summarize(project));

    const { environment, bucket } = settings;
    const adminUrl = `http://127.0.0.1:${ports.gatewayAdmin}`;
    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
    const variables = localVariables({
      ...(temporal && { temporal }),
      ...(s3 && { s3: s3.access }),
      environment,
      bucket,
      adminUrl,
      routerToken: keys.routerToken,
    });
    const childEnvironment = (): NodeJS.ProcessEnv => ({
      ...withLocalVariables(outer, variables),
      ...(python.path !== undefined && { PAWL_PYTHON: python.path }),
    });
    if (s3 !== undefined) await createBucket(s3.access, bucket);

    onProgress('starting the gateway and the worker');
    const gatewayPorts = { port: ports.gateway, adminPort: ports.gatewayAdmin };
    const gateway = await keptGateway(
      root,
      { ...gatewayPorts, environment: childEnvironment(), token: keys.routerToken },
      onEvent,
    );
    stops.push(() => gateway.stop());
    // Last in, first out: the worker ends before the jobs, because its keeper would launch model servers anew.
    stops.push(() => endLocalJobs(root, settings, python.path));
    const worker = await keptWorker(
      { root, files, environment: childEnvironment, onLine: options.onWorkerLine },
      onEvent,
    );
    stops.push(() => worker.stop());
    const [, { project: found }] = await Promise.all([gateway.replace(), worker.replace()]);
    if (options.watch === true) stops.push(await reloadOnChange({ root, worker, onEvent, prepare: preparePython }));

    const uiUrl = temporal?.uiUrl;
    await writeDevFile(root, {
      schema: 1,
      ports,
      keys,
      running: {
        pid: process.pid,
        since: new Date().toISOString(),
        environment: variables,
        files: [...files],
        uiUrl: uiUrl ?? null,
        gatewayUrl,
      },
    });
    stops.push(() => writeDevFile(root, { schema: 1, ports, keys, running: null }));

    let stopped: Promise<void> | undefined;
    return {
      root,
      environment,
      bucket,
      temporal: {
        address: temporal?.address ?? outer['TEMPORAL_ADDRESS'] ?? '',
        namespace: temporal?.namespace ?? outer['TEMPORAL_NAMESPACE'] ?? 'default',
        uiUrl,
      },
      s3: s3?.access,
      gatewayUrl,
      adminUrl,
      settings,
      get project() {
        return worker.current?.project ?? found;
      },
      variables,
      get workerPid() {
        return worker.current?.pid;
      },
      killWorker: () => worker.kill(),
      restartWorker: async () => (await worker.replace()).pid,
      broken: Promise.race([
        ...(temporal ? [temporal.ended] : []),
        ...(s3 ? [s3.ended] : []),
        new Promise<string>(() => undefined),
      ]),
      stop: () => (stopped ??= stopAll()),
    };
  } catch (error) {
    await stopAll().catch(() => undefined);
    throw error;
  }
}
