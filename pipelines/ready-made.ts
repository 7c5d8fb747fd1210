// Everything that every worker can run: the stages, each by its own name, and the lifecycle wired from them.

import { canaryDeploy } from '../activities/canary-deploy.js';
import { detectChange } from '../activities/detect-change.js';
import { evaluate } from '../activities/evaluate.js';
import { featureEngineering } from '../activities/feature-engineering.js';
import { fineTune } from '../activities/fine-tune.js';
import { gate } from '../activities/gate.js';
import { preflight } from '../activities/preflight.js';
import { register } from '../activities/register.js';
import { rollback } from '../activities/rollback.js';
import { modelLifecycle } from './model-lifecycle.js';

export const readyMadeDags = [modelLifecycle];
export const readyMadeTasks = [
  preflight,
  featureEngineering,
  detectChange,
  fineTune,
  evaluate,
  gate,
  register,
  canaryDeploy,
  rollback,
];
