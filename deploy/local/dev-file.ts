// What `pawl dev` keeps of itself in `<root>/.pawl/dev.json`: the ports and keys that a next start takes up again, and, while it
// runs, where its servers are, so that other commands find them.

import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const port = z.number().int().min(1).max(65_535);

const localPorts = z.object({ temporal: port, temporalUi: port, s3: port, gateway: port, gatewayAdmin: port });
export type LocalPorts = z.infer<typeof localPorts>;

const devFile = z.object({
  schema: z.literal(1),
  ports: localPorts.partial(),
  keys: z.object({ accessKeyId: z.string(), secretAccessKey: z.string(), routerToken: z.string() }),
  /** Of the `pawl dev` that runs; null once it has ended in order. */
  running: z
    .object({
      pid: z.number().int(),
      since: z.iso.datetime(),
      /** The variables by which another command or program reaches the same servers. */
      environment: z.record(z.string(), z.string()),
      /** Those that it was told to load; none: found by convention. */
      files: z.array(z.string()),
      uiUrl: z.string().nullable(),
      gatewayUrl: z.string(),
    })
    .nullable(),
});
export type DevFile = z.infer<typeof devFile>;

/** Everything of one machine lies in this folder of the project. */
export const localFolder = (root: string): string => join(root, '.pawl');

const devFilePath = (root: string): string => join(localFolder(root), 'dev.json');

/** `undefined` where there is none; one that cannot be read counts as none, because it only saves work. */
export async function readDevFile(root: string): Promise<DevFile | undefined> {
  try {
    const parsed = devFile.safeParse(JSON.parse(await readFile(devFilePath(root), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Holds keys, so only its owner may read it. */
export async function writeDevFile(root: string, content: DevFile): Promise<void> {
  await mkdir(localFolder(root), { recursive: true, mode: 0o700 });
  const path = devFilePath(root);
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(unfinished, 0o600);
  await rename(unfinished, path);
}
