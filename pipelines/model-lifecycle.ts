// The life of a model, from raw data to production, as a table of contents. Each stage is a task of its own, and can be replaced.

import { canaryDeploy } from '../activities/canary-deploy.js';
import { detectChange } from '../activities/detect-change.js';
import { evaluate } from '../activities/evaluate.js';
import { featureEngineering } from '../activities/feature-engineering.js';
import { fineTune } from '../activities/fine-tune.js';
import { gate } from '../activities/gate.js';
import { preflight } from '../activities/preflight.js';
import { register } from '../activities/register.js';
import { rollback } from '../activities/rollback.js';
import { isTrue } from '../dag/condition.js';
import { dag } from '../dag/dag.js';
import { firstOf } from '../dag/wiring.js';
import { aboutModel } from './about-model.js';

export const modelLifecycle = dag(
  {
    ...aboutModel,
    name: 'model-lifecycle',
    description: 'features → fine-tune → evaluate → gate → register → canary deploy, rolled back where it fails',
  },
  ({ params, step }) => {
    const { model, settings } = params;
    const ready = step(preflight, { settings });
    const data = step(featureEngineering, { model, data: settings.data }, { after: ready });
    const change = step(detectChange, {
      model,
      dataset: data.dataset,
      settingsDigest: params.settingsDigest,
      force: params.force,
    });
    const trained = step(
      fineTune,
      { model, dataset: data.dataset, train: settings.train },
      { when: isTrue(change.changed) },
    );
    const report = step(evaluate, {
      model,
      artifact: trained.artifact,
      dataset: data.dataset,
      evaluate: settings.evaluate,
    });
    const verdict = step(gate, { rules: settings.gate, report });
    const registered = step(
      register,
      {
        model,
        owner: settings.owner,
        artifact: trained.artifact,
        dataset: data.dataset,
        report,
        verdict,
        serve: settings.serve,
        settingsDigest: params.settingsDigest,
        tags: settings.tags,
      },
      { when: isTrue(verdict.passed), setup: true },
    );
    const deployed = step(canaryDeploy, {
      model,
      version: registered.version,
      rollout: settings.rollout,
      again: params.force,
    });
    step(
      rollback,
      { model, rollout: settings.rollout, ofStep: 'canary-deploy', reason: 'the run ended without a decision' },
      { teardownOf: registered, after: deployed },
    );
    return {
      outcome: firstOf(deployed.outcome, verdict.outcome, change.outcome),
      version: registered.version,
      dataset: data.dataset.id,
      change: change.explanation,
      verdict: verdict.summary,
      rollout: deployed.reason,
    };
  },
);
