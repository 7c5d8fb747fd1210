// The systems that a worker was composed with; a task reaches the outside world through nothing else.

import type { ComputeSystems } from './compute/port.js';
import type { Endpoints } from './endpoint/port.js';
import type { Metrics } from './metrics/port.js';
import type { ObjectStore } from './object-store/port.js';
import type { Registry } from './registry/port.js';
import type { Serving } from './serving/port.js';

export interface Systems {
  /** `dev`, `staging`, `prod`: part of every id, key, alias and task-queue name. */
  readonly environment: string;
  /** Pawl's own bucket. */
  readonly objects: ObjectStore;
  readonly compute: ComputeSystems;
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  readonly serving: Serving;
  readonly metrics: Metrics;
}
