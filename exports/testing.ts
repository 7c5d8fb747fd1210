// `pawl/testing`: runs tasks and DAGs without a server, and starts real servers for tests that need them.

export { memorySystems, type MemorySystems, type MemorySystemsOptions } from '../testing/memory-systems.js';
export { runDag, type DagTestRun, type RunDagOptions } from '../testing/run-dag.js';
export { runTask, type RunTaskOptions } from '../testing/run-task.js';

export { MemoryCompute, type MemoryJob, type MemoryProgram } from '../systems/compute/memory.js';
export { MemoryMetrics } from '../systems/metrics/memory.js';
export { MemoryObjectStore } from '../systems/object-store/memory.js';
export { MemoryServing } from '../systems/serving/memory.js';

export { startS3Server, type S3Access, type S3Server, type S3ServerOptions } from '../deploy/embedded/s3-server.js';
export {
  startTemporalServer,
  type TemporalServer,
  type TemporalServerOptions,
} from '../deploy/embedded/temporal-server.js';
