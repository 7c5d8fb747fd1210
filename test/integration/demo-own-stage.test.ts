// examples/own-stage: a stage replaced and a step added, run by the planner and the wiring of a real run, without training anything.

import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { reviewedLifecycle } from '../../examples/own-stage/pipelines/reviewed-lifecycle.js';
import { gateEverySlice } from '../../examples/own-stage/tasks/gate-every-slice.js';
import intentRouter from '../../examples/own-program/models/intent-router.js';
import { gate } from '../../activities/gate.js';
import type { EvaluationReport } from '../../activities/schemas/evaluation.js';
import type { Json } from '../../dag/graph.js';
import type { Task } from '../../dag/task.js';
import { memorySystems } from '../../testing/memory-systems.js';
import { runDag } from '../../testing/run-dag.js';
import { runTask } from '../../testing/run-task.js';

// Holds only where the team's gate has the types of Pawl's.
const sameTypes: Task<typeof gate.input, typeof gate.output> = gateEverySlice;

const digest = 'a'.repeat(64);
const artifact = { uri: `s3://pawl/models/intent-router/artifacts/${digest}/`, digest, sizeBytes: 10 };
const share = (value: number, samples: number) => ({ exactMatch: { value, samples } });

const report = (ofGerman: number): EvaluationReport => ({
  datasetId: digest,
  metrics: share(0.9, 100),
  slices: { 'language=en': share(0.95, 80), 'language=de': share(ofGerman, 20) },
  champion: null,
  examplesUri: 's3://pawl/evaluations/examples/',
});

async function run(ofGerman: number) {
  const systems = memorySystems();
  const deployed: Json[] = [];
  const { output, steps, reasons } = await runDag(
    reviewedLifecycle,
    { model: 'intent-router' },
    {
      systems,
      models: new Map([['intent-router', intentRouter.settings]]),
      standIns: {
        preflight: () => ({ findings: [] }),
        'feature-engineering': () => ({
          dataset: { id: digest, uri: 's3://pawl/datasets/', rows: { train: 8, validation: 1, test: 1 } },
        }),
        'fine-tune': () => ({ artifact, curve: { steps: 1, finalLoss: 0, validationLoss: 0 }, trainingSeconds: 1 }),
        evaluate: () => report(ofGerman),
        'canary-deploy': (input) => {
          deployed.push(input);
          return { outcome: 'promoted' };
        },
        rollback: () => ({ outcome: 'unchanged' }),
      },
    },
  );
  return { output, steps, reasons, systems, deployed };
}

test("a team's gate stands where Pawl's stood, and its own step between gate and registration", async () => {
  expect(sameTypes.contract).not.toEqual(gate.contract);
  const { output, steps, systems, deployed } = await run(0.85);
  expect(output).toMatchObject({ outcome: 'promoted', version: 1 });
  expect(steps).toMatchObject({ 'gate-every-slice': 'success', 'model-card': 'success', register: 'success' });
  expect(deployed).toMatchObject([{ model: 'intent-router', version: 1 }]);
  const { tags } = await systems.registry.version('intent-router', 1);
  expect(tags).toEqual({ card: output.card });
  const card = await systems.objects.get(String(output.card).replace('s3://pawl/', ''));
  expect(await text(card.body)).toContain('| exactMatch | 0.9 | none | 100 |');
});

test("a slice below the bound is enough to be rejected by the team's gate, which Pawl's lets through", async () => {
  const { output, steps, deployed } = await run(0.5);
  expect(output.outcome).toBe('rejected');
  expect(steps).toMatchObject({ 'model-card': 'success', register: 'skipped', 'canary-deploy': 'skipped' });
  expect(deployed).toEqual([]);
  const rules = intentRouter.settings.gate;
  expect(await runTask(gate, { rules, report: report(0.5) })).toMatchObject({ passed: true });
});
