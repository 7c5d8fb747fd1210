// Finds the workflow bundle: the one built into the package, or, when running from source, one bundled once for each content of the sources.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

const here = fileURLToPath(import.meta.url);
const fromSource = here.endsWith('.ts');
/** The package's root from source, `dist` in the package. */
const root = dirname(dirname(here));

/** Folders whose content the bundle can depend on. */
const sourceFolders = ['workflows', 'dag', 'stats', 'systems/endpoint'];

/** Bundles `workflows/index`; a couple of seconds. */
export async function buildWorkflowBundle(logger: Logger = quietLogger): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'workflows', fromSource ? 'index.ts' : 'index.js'),
    logger,
  });
  return withoutPaths(code);
}

const mapPattern = /(sourceMappingURL=data:application\/json;charset=utf-8;base64,)([\w+/=]+)/;

/** Its source map names files from the package's root on, the same on every machine, and leaves their text out. */
const withoutPaths = (code: string): string =>
  code.replace(mapPattern, (_, head: string, data: string) => {
    const { sourcesContent: _text, ...map } = JSON.parse(Buffer.from(data, 'base64').toString()) as SourceMap;
    const sources = map.sources.map((source) => source.replace(`${root}/`, ''));
    return head + Buffer.from(JSON.stringify({ ...map, sources })).toString('base64');
  });

interface SourceMap {
  readonly sources: readonly string[];
  readonly sourcesContent?: readonly string[];
}

/** Where the bundle lies, building it first where that is needed; safe when two processes do it at once. */
export async function workflowBundlePath(): Promise<string> {
  if (!fromSource) {
    const built = join(root, 'workflow-bundle.js');
    if (existsSync(built)) return built;
  }
  const cache = fromSource ? join(root, 'node_modules', '.cache', 'pawl') : join(root, '.cache');
  const path = join(cache, `workflow-bundle-${(await sourceDigest()).slice(0, 16)}.js`);
  if (existsSync(path)) return path;
  await mkdir(cache, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, await buildWorkflowBundle());
  await rename(unfinished, path);
  return path;
}

async function sourceDigest(): Promise<string> {
  const hash = createHash('sha256');
  const sdk = createRequire(here)('@temporalio/worker/package.json') as { version: string };
  hash.update(sdk.version);
  for (const folder of sourceFolders) {
    const entries = await readdir(join(root, folder), { recursive: true }).catch(() => []);
    for (const entry of entries.filter((name) => /\.(ts|js)$/.test(name)).sort())
      hash.update(`\0${folder}/${entry}\0`).update(await readFile(join(root, folder, entry)));
  }
  return hash.digest('hex');
}

const silent = () => {};
const quietLogger: Logger = {
  log: silent,
  trace: silent,
  debug: silent,
  info: silent,
  warn: (message, meta) => console.warn(message, meta ?? ''),
  error: (message, meta) => console.error(message, meta ?? ''),
};
