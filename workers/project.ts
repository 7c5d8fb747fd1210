// A team's project: what its pawl.config.ts says, and the DAGs, tasks and models that its files export.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Dag } from '../dag/dag.js';
import { SystemError } from '../dag/failures.js';
import type { Task } from '../dag/task.js';
import { isModel } from '../pipelines/model.js';
import { resolveFromSource } from './resolve-from-source.js';
import { resolveSettings, type DeploymentSettings } from './settings.js';

export interface Project {
  readonly root: string;
  readonly settings: DeploymentSettings;
  readonly dags: readonly Dag[];
  readonly tasks: readonly Task[];
  /** The models' files, by name. */
  readonly models: ReadonlyMap<string, unknown>;
  /** All that was loaded: what a change of means a reload. */
  readonly files: readonly string[];
}

const folders = ['pipelines', 'tasks', 'models'];
const configNames = ['pawl.config.ts', 'pawl.config.js', 'pawl.config.mjs'];
const isSource = (file: string): boolean => /\.(ts|mts|js|mjs)$/.test(file) && !/\.(test|d)\.\w+$/.test(file);

/** Files by convention: all below pipelines/, tasks/ and models/. */
async function conventionalFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue;
    const entries = await readdir(join(root, folder), { recursive: true });
    found.push(...entries.filter(isSource).map((file) => join(root, folder, file)));
  }
  return found.sort();
}

const fromSource = import.meta.url.endsWith('.ts');
let registering: Promise<void> | undefined;

/** A project in plain JavaScript is spared the loader's thread and compiler. */
const needsLoader = (file: string, root: string): boolean =>
  fromSource || /\.m?ts$/.test(file) || existsSync(join(root, 'tsconfig.json'));

/** Not tsx's own scoped import: the project's files must share Pawl's modules with the worker, so that its errors are ours. */
async function registerLoader(): Promise<void> {
  if (fromSource) return resolveFromSource();
  // The project's files import `pawl`, whose many modules take thrice as long to load through the loader.
  await import('../index.js');
  const { register } = await import('tsx/esm/api');
  register();
}

/** A syntax error's message names the place in its second line. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const [first = '', second = ''] = cause.message.split('\n');
  return first.startsWith('Transform failed') && second !== '' ? second : first;
}

async function load(file: string, root: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    if (needsLoader(file, root)) await (registering ??= registerLoader());
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof SystemError)
      throw new SystemError(cause.type, `${relative(root, file)}: ${cause.message}`, { cause });
    throw new SystemError('InvalidInput', `${relative(root, file)} cannot be loaded: ${reasonOf(cause)}`, { cause });
  }
}

const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
const isDag = (value: unknown): value is Dag =>
  kindOf(value) === 'dag' && typeof value === 'object' && value !== null && 'graph' in value;
const isTask = (value: unknown): value is Task =>
  ['activity', 'job', 'workflow'].includes(kindOf(value) as string) &&
  typeof value === 'object' &&
  value !== null &&
  'contract' in value;

/** Exports of modules, default exports that were wrapped by an older module system included. */
const exportsOf = (module: Readonly<Record<string, unknown>>): unknown[] => {
  const wrapped = module['default'];
  const inner =
    typeof wrapped === 'object' && wrapped !== null && '__esModule' in wrapped ? Object.values(wrapped) : [];
  return [...new Set([...Object.values(module), ...inner])];
};

/** Not any other export, which may be half of the settings. Throws `InvalidInput` where there is none. */
function defaultOf(module: Readonly<Record<string, unknown>>, where: string): unknown {
  const wrapped = module['default'];
  const given =
    typeof wrapped === 'object' && wrapped !== null && '__esModule' in wrapped
      ? (wrapped as { readonly default?: unknown }).default
      : wrapped;
  if (given != null) return given;
  throw new SystemError(
    'InvalidInput',
    `${where} has no default export: write "export default defineConfig({ … })" in it.`,
  );
}

const findConfig = (folder: string): string | undefined =>
  configNames.map((name) => join(folder, name)).find((path) => existsSync(path));

/** What a project's `pawl.config` says, without its other files. Throws `InvalidInput`. */
export async function loadSettings(root: string): Promise<DeploymentSettings> {
  const folder = resolve(root);
  const configFile = findConfig(folder);
  if (configFile === undefined) return resolveSettings(undefined, process.env);
  return resolveSettings(defaultOf(await load(configFile, folder), basename(configFile)), process.env);
}

/** Throws `InvalidInput` for a file that cannot be loaded, and where two models have one name. */
export async function loadProject(root: string, given: readonly string[] = []): Promise<Project> {
  const folder = resolve(root);
  const configFile = findConfig(folder);
  const settings = await loadSettings(folder);
  const files = given.length > 0 ? given.map((file) => resolve(folder, file)) : await conventionalFiles(folder);

  const dags = new Set<Dag>();
  const tasks = new Set<Task>();
  const models = new Map<string, unknown>();
  const fileOfModel = new Map<string, string>();
  for (const file of files) {
    if (!existsSync(file))
      throw new SystemError('NotFound', `There is no file ${relative(folder, file)} in ${folder}.`);
    for (const value of exportsOf(await load(file, folder))) {
      if (isDag(value)) dags.add(value);
      else if (isTask(value)) tasks.add(value);
      else if (isModel(value)) {
        const other = fileOfModel.get(value.name);
        if (other !== undefined && other !== file) {
          throw new SystemError(
            'InvalidInput',
            `${relative(folder, other)} and ${relative(folder, file)} both define the model ${value.name}: rename one.`,
          );
        }
        fileOfModel.set(value.name, file);
        models.set(value.name, value.settings);
      }
    }
  }
  return {
    root: folder,
    settings,
    dags: [...dags],
    tasks: [...tasks],
    models,
    files: configFile === undefined ? files : [configFile, ...files],
  };
}
