// What the acts of the demo act on: the servers of one machine, a client, the systems, and the users.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunReader } from '../../cli/read-run.js';
import { PawlClient } from '../../client/client.js';
import { connectClient } from '../../client/connect.js';
import { ensurePython } from '../../deploy/embedded/python.js';
import { localFolder } from '../../deploy/local/dev-file.js';
import { endLocalJobs } from '../../deploy/local/end-jobs.js';
import { withLocalVariables } from '../../deploy/local/local-environment.js';
import { lockHolder } from '../../deploy/local/folder-lock.js';
import { startLocal, type Local } from '../../deploy/local/start-local.js';
import { HttpRouter } from '../../systems/serving/http-router.js';
import { externalStorage } from '../../workers/external-storage.js';
import { deploymentSettings } from '../../workers/settings.js';
import { composeSystems, type ComposedSystems } from '../../workers/systems.js';
import { buildBaseModel } from './base-models.js';
import { readSections, wordsOf, type Section } from './documents.js';
import { uploadDocuments, uploadFolder } from './lake.js';
import docsRouter from './models/docs-router.js';
import type { Screen } from './screen.js';
import { Traffic } from './traffic.js';

/** The project's folder; everything that the demo keeps lies in `.pawl` below it. */
export const root = fileURLToPath(new URL('.', import.meta.url));
export const model = docsRouter.name;

export interface World {
  readonly screen: Screen;
  /** Aborts on ctrl-C, and when a server is gone. */
  readonly signal: AbortSignal;
  readonly local: Local;
  readonly client: PawlClient;
  readonly reader: RunReader;
  readonly systems: ComposedSystems;
  readonly router: HttpRouter;
  readonly sections: readonly Section[];
  /** The base model of the good recipes, and the one of act 3. */
  readonly base: string;
  readonly shortBase: string;
  /** Starts the users, once. */
  startTraffic(): Traffic;
  readonly traffic: Traffic | undefined;
  /** Ends the users, and lets the connections go; the servers run on. */
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** A name on the hub or an absolute folder, in place of the base model that the demo builds. */
  readonly base: string | undefined;
}

/** The demo is by itself: it uses no server that the environment names, and touches nobody's data. */
function forgetEnvironment(): void {
  const foreign = /^(TEMPORAL_|AWS_|PAWL_(ENVIRONMENT|BUCKET|ROUTERS|GATEWAY_))/;
  for (const name of Object.keys(process.env)) if (foreign.test(name)) delete process.env[name];
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

/** What runs there still is left alone: startLocal refuses, in a sentence. Jobs of a demo that was killed are ended. */
async function clearFolder(): Promise<void> {
  if ((await lockHolder(root)) !== undefined) return;
  await endLocalJobs(root, deploymentSettings.parse({}), undefined);
  await rm(localFolder(root), { recursive: true, force: true });
}

/** Starts the servers in an empty folder. `onLocal` gets them at once, so that they can be stopped if the rest fails. */
export async function openWorld(
  { screen, signal, base }: OpenOptions,
  onLocal: (local: Local) => void,
): Promise<World> {
  forgetEnvironment();
  await clearFolder();
  let doing = 'reading the docs of the installed packages';
  return screen.during(
    () => doing,
    async () => {
      const sections = await readSections({ packages: 12, maxWords: 8_000 });
      const packages = new Set(sections.map((section) => section.package));
      const words = sections.reduce((sum, { text }) => sum + wordsOf(text).length, 0);
      screen.line(
        `read the docs of ${packages.size} packages: ${count(sections.length)} sections, ${count(words)} words`,
      );
      signal.throwIfAborted();

      const onProgress = (line: string, without = line): void => {
        doing = without;
      };
      const { python } = await ensurePython({ onProgress });
      const build = { python, sections, folder: join(localFolder(root), 'base'), signal };
      // They take a while, and so does starting the servers.
      const building = Promise.all([
        base === undefined ? buildBaseModel({ architecture: 'llama', context: 512, name: 'router' }, build) : undefined,
        buildBaseModel({ architecture: 'gptj', context: 192, name: 'short-context' }, build),
      ]);
      building.catch(() => undefined);
      const local = await startLocal({
        root,
        environment: { ...process.env, PAWL_PYTHON: python, PAWL_LOG_LEVEL: 'info' },
        onProgress,
        onEvent: ({ message }) => screen.line(screen.style.yellow(message)),
      });
      onLocal(local);
      signal.throwIfAborted();
      screen.line(
        `Temporal, S3, the gateway and a worker run · Temporal UI ${screen.style.cyan(local.temporal.uiUrl ?? '')}`,
      );
      Object.assign(process.env, withLocalVariables(process.env, local.variables), { PAWL_PYTHON: python });

      const systems = composeSystems(local.settings, root);
      const connected = await connectClient(undefined, externalStorage(systems.objects));
      const client = new PawlClient({ client: connected.client, environment: local.environment });
      const lake = systems.objects.bucket('lake');
      await lake.createBucketIfMissing();
      doing = 'putting the documents and the base models into S3';
      const [[ownFolder, shortFolder]] = await Promise.all([building, uploadDocuments(lake, sections)]);
      const built = ownFolder === undefined ? (base ?? '') : await uploadFolder(lake, ownFolder, 'base/router/');
      const shortBase = await uploadFolder(lake, shortFolder, 'base/short-context/');
      screen.line(`the documents are in s3://lake/docs/, the base model is ${built}`);

      let traffic: Traffic | undefined;
      return {
        screen,
        signal,
        local,
        client,
        reader: new RunReader(client, systems.objects),
        systems,
        router: new HttpRouter({ url: local.adminUrl, token: local.variables['PAWL_GATEWAY_TOKEN'] }),
        sections,
        base: built,
        shortBase,
        get traffic() {
          return traffic;
        },
        startTraffic: () =>
          (traffic ??= new Traffic({
            gatewayUrl: local.gatewayUrl,
            model,
            sections,
            perSecond: 12,
            maxRequests: 20_000,
          })),
        close: async () => {
          await traffic?.stop();
          await connected.close();
          systems.objects.close();
        },
      };
    },
  );
}

export const count = (value: number): string => value.toLocaleString('en-US');
