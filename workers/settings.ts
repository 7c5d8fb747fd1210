// What a deployment says of itself: `pawl.config.ts`, with the environment's variables laid over it.

import { z } from 'zod';
import { parseWith } from '../dag/validation.js';

const places = z.strictObject({
  gpus: z.number().int().nonnegative().default(0),
  memoryBytes: z.number().int().positive(),
});

/**
 * Whose credentials for the object store programs use: the worker's as they are when a job starts, or the host's own (its role,
 * or its profile), which are renewed there however long a job takes.
 */
const credentials = z.enum(['worker', 'host']).default('worker');

const localCompute = z.strictObject({
  kind: z.literal('local'),
  /** A folder for the jobs; below the project's `.pawl` unless set. */
  root: z.string().optional(),
  /** All of the machine's memory and no GPU unless set. */
  places: places.optional(),
  /** What `{python}` stands for. */
  python: z.string().optional(),
  credentials,
});

const sshHost = z.strictObject({
  name: z.string().min(1),
  address: z.string().min(1),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  /** The path of a private key; the SSH agent (`SSH_AUTH_SOCK`) is asked unless set. */
  privateKeyFile: z.string().optional(),
  /** `SHA256:…`, as `ssh-keygen -lf` prints them. */
  hostKeys: z.array(z.string().startsWith('SHA256:')).min(1),
  root: z.string().startsWith('/').default('/var/tmp/pawl'),
  places,
  python: z.string().optional(),
  /** The address under which its model servers are reached; they listen on loopback alone unless set. */
  listenOn: z.string().optional(),
});

const sshCompute = z.strictObject({ kind: z.literal('ssh'), hosts: z.array(sshHost).min(1), credentials });

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, - and _, at most 63');

export const deploymentSettings = z.strictObject({
  environment: name.default('dev'),
  /** Pawl's own bucket. */
  bucket: z.string().min(3).default('pawl'),
  objectStore: z.literal('s3').default('s3'),
  registry: z.literal('object-store').default('object-store'),
  metrics: z.literal('gateway').default('gateway'),
  serving: z.literal('gateway').default('gateway'),
  /** The admin addresses of the gateways. */
  routers: z.array(z.url()).default([]),
  compute: z
    .record(name, z.discriminatedUnion('kind', [localCompute, sshCompute]))
    .prefault({ local: { kind: 'local' } }),
});

/** What `pawl.config.ts` exports. */
export type Deployment = z.input<typeof deploymentSettings>;
export type DeploymentSettings = z.output<typeof deploymentSettings>;

/** Types the default export of `pawl.config.ts`. */
export const defineConfig = (config: Deployment): Deployment => config;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Lays PAWL_ENVIRONMENT, PAWL_BUCKET and PAWL_ROUTERS (with commas) over a configuration.
 * Throws `InvalidInput` with every problem; an unknown kind of system is answered with the known ones.
 */
export function resolveSettings(
  config: unknown,
  environment: Environment,
  where = 'pawl.config.ts',
): DeploymentSettings {
  const { PAWL_ENVIRONMENT, PAWL_BUCKET, PAWL_ROUTERS } = environment;
  const over = {
    ...(PAWL_ENVIRONMENT && { environment: PAWL_ENVIRONMENT }),
    ...(PAWL_BUCKET && { bucket: PAWL_BUCKET }),
    ...(PAWL_ROUTERS && { routers: PAWL_ROUTERS.split(',').map((url) => url.trim()) }),
  };
  const base = config ?? {};
  return parseWith(deploymentSettings, typeof base === 'object' ? { ...base, ...over } : base, where);
}
