// The composition root: settings become the systems that tasks reach the outside world through. Every kind is named here once.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SystemError } from '../dag/failures.js';
import { computeSystems } from '../systems/compute/computes.js';
import { LocalCompute } from '../systems/compute/local.js';
import type { Compute } from '../systems/compute/port.js';
import { SshCompute } from '../systems/compute/ssh.js';
import type { JobSurroundings } from '../systems/compute/supervised-compute.js';
import { ObjectStoreEndpoints } from '../systems/endpoint/object-store.js';
import { GatewayMetrics } from '../systems/metrics/gateway.js';
import { S3ObjectStore } from '../systems/object-store/s3.js';
import { ObjectStoreRegistry } from '../systems/registry/object-store.js';
import { GatewayServing } from '../systems/serving/gateway.js';
import type { Systems } from '../systems/systems.js';
import type { DeploymentSettings } from './settings.js';

type ComputeSettings = DeploymentSettings['compute'][string];

export interface ComposedSystems extends Systems {
  readonly objects: S3ObjectStore;
  readonly serving: GatewayServing;
}

/**
 * Stands between Pawl and what it changes the world through, and answers what is to be used in place of the real one. Tests
 * let a process die there; nothing stands there otherwise.
 */
export type Around = <S extends object>(what: 'objects' | 'compute' | 'serving' | 'temporal', real: S) => S;
export const nothingAround: Around = (_what, real) => real;

interface ComputeContext {
  readonly root: string;
  readonly objects: S3ObjectStore;
}

const surroundingsOf = ({ credentials }: ComputeSettings, objects: S3ObjectStore): JobSurroundings =>
  credentials === 'host'
    ? { environment: () => objects.programLocation() }
    : {
        environment: () => objects.programEnvironment(),
        credentialsExpireAt: () => objects.programCredentialsExpireAt(),
      };

const keyOf = (file: string, host: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SystemError(
      'InvalidInput',
      `The private key ${file} of the host ${host} cannot be read: check privateKeyFile.`,
      { cause },
    );
  }
};

function compose(name: string, settings: ComputeSettings, { root, objects }: ComputeContext): Compute {
  const surroundings = surroundingsOf(settings, objects);
  switch (settings.kind) {
    case 'local': {
      const python = settings.python ?? process.env['PAWL_PYTHON'];
      return new LocalCompute({
        name,
        root: resolve(root, settings.root ?? `.pawl/jobs/${name}`),
        ...surroundings,
        ...(python === undefined ? {} : { python }),
        ...(settings.places === undefined ? {} : { places: settings.places }),
      });
    }
    case 'ssh':
      return new SshCompute({
        name,
        ...surroundings,
        hosts: settings.hosts.map((host) => ({
          name: host.name,
          root: host.root,
          places: host.places,
          access: {
            host: host.address,
            port: host.port,
            user: host.user,
            hostKeys: host.hostKeys,
            ...(host.privateKeyFile === undefined
              ? { agent: process.env['SSH_AUTH_SOCK'] ?? '' }
              : { privateKey: keyOf(resolve(root, host.privateKeyFile), host.name) }),
          },
          ...(host.python === undefined ? {} : { python: host.python }),
          ...(host.listenOn === undefined ? {} : { listenOn: host.listenOn, address: host.address }),
        })),
      });
  }
}

/** `root`: what relative paths in the settings start from. Throws `InvalidInput` for settings that cannot work. */
export function composeSystems(
  settings: DeploymentSettings,
  root: string,
  around: Around = nothingAround,
): ComposedSystems {
  const { environment, routers } = settings;
  const objects = around('objects', new S3ObjectStore({ bucket: settings.bucket }));
  const context: ComputeContext = { root, objects };
  const compute = computeSystems(
    Object.entries(settings.compute).map(([name, each]) => around('compute', compose(name, each, context))),
  );
  const token = process.env['PAWL_GATEWAY_TOKEN'];
  return {
    environment,
    objects,
    compute,
    registry: new ObjectStoreRegistry(objects, { environment }),
    endpoints: new ObjectStoreEndpoints(objects, environment),
    serving: around('serving', new GatewayServing({ environment, objects, compute, routerUrls: routers, token })),
    metrics: new GatewayMetrics({ routerUrls: routers, token }),
  };
}
