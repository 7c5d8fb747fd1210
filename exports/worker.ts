// `pawl/worker`: composes and runs workers. Loads Temporal's native core, so a project's other files import `pawl`.

export { createWorker, taskQueueOf, type PawlWorker, type PawlWorkerOptions } from '../workers/create-worker.js';
export { externalStorage } from '../workers/external-storage.js';
export { loadProject, type Project } from '../workers/project.js';
export { runWorker, type RunningWorker } from '../workers/run-worker.js';
export { installRuntime } from '../workers/runtime.js';
export { resolveSettings, type DeploymentSettings } from '../workers/settings.js';
export { composeSystems, type ComposedSystems } from '../workers/systems.js';
export { readyMadeDags, readyMadeTasks } from '../pipelines/ready-made.js';
export type { Systems } from '../systems/systems.js';
