// The entry of the workflow bundle. Every function exported here is a workflow type of its own name; the default one
// stands for all other names: a DAG's or a task's. Leaf files only, since the bundler shakes no trees.

export { dagRun as default } from './dag-run.js';
export { requestRollout } from './rollout/request-rollout.js';
export { rollout } from './rollout/rollout.js';
