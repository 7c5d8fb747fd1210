// The systems of a worker without a server: for tests of tasks and DAGs, and of whatever is written against the ports.

import { computeSystems } from '../systems/compute/computes.js';
import { MemoryCompute, type MemoryProgram } from '../systems/compute/memory.js';
import type { Places } from '../systems/compute/port.js';
import { ObjectStoreEndpoints } from '../systems/endpoint/object-store.js';
import { MemoryMetrics } from '../systems/metrics/memory.js';
import { MemoryObjectStore } from '../systems/object-store/memory.js';
import { ObjectStoreRegistry } from '../systems/registry/object-store.js';
import { MemoryServing } from '../systems/serving/memory.js';
import type { Systems } from '../systems/systems.js';

export interface MemorySystemsOptions {
  /** `test` unless set. */
  readonly environment?: string;
  /** What the compute system `local` runs, by the first word of a job's command. */
  readonly programs?: Readonly<Record<string, MemoryProgram>>;
  /** Its hosts; one with 2 GPUs and 16 GiB unless set. */
  readonly hosts?: Readonly<Record<string, Places>>;
}

export interface MemorySystems extends Systems {
  readonly objects: MemoryObjectStore;
  readonly serving: MemoryServing;
  readonly metrics: MemoryMetrics;
}

/** Everything in this process, nothing shared between two calls. The registry and the endpoints are the real ones, on memory. */
export function memorySystems(options: MemorySystemsOptions = {}): MemorySystems {
  const { environment = 'test', programs = {}, hosts } = options;
  const objects = new MemoryObjectStore('pawl');
  const endpoints = new ObjectStoreEndpoints(objects, environment);
  return {
    environment,
    objects,
    compute: computeSystems([
      new MemoryCompute({ name: 'local', programs, ...(hosts === undefined ? {} : { hosts }) }),
    ]),
    registry: new ObjectStoreRegistry(objects, { environment }),
    endpoints,
    serving: new MemoryServing({ endpoints }),
    metrics: new MemoryMetrics(),
  };
}
