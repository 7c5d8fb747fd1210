// The model's life as this team wants it: Pawl's stages, but for a gate of their own and a page for reviewers before the
// registration. Wrong wiring does not compile.

import {
  aboutModel,
  canaryDeploy,
  dag,
  evaluate,
  featureEngineering,
  fineTune,
  firstOf,
  isTrue,
  preflight,
  register,
  rollback,
} from 'pawl';
import { gateEverySlice } from '../tasks/gate-every-slice.js';
import { modelCard } from '../tasks/model-card.js';

export const reviewedLifecycle = dag(
  { ...aboutModel, name: 'reviewed-lifecycle', description: 'The lifecycle, every slice gated, with a model card' },
  ({ params, step }) => {
    const { model, settings } = params;
    const ready = step(preflight, { settings });
    const data = step(featureEngineering, { model, data: settings.data }, { after: ready });
    const trained = step(fineTune, { model, dataset: data.dataset, train: settings.train });
    const report = step(evaluate, {
      model,
      artifact: trained.artifact,
      dataset: data.dataset,
      evaluate: settings.evaluate,
    });
    // In place of Pawl's gate: the same input, the same output.
    const verdict = step(gateEverySlice, { rules: settings.gate, report });
    // Between two stages: its page goes with the version, as a tag.
    const card = step(modelCard, { model, owner: settings.owner, report, verdict });
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
        tags: { card: card.uri },
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
    return { outcome: firstOf(deployed.outcome, verdict.outcome), version: registered.version, card: card.uri };
  },
);
