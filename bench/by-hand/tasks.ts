// Seven trivial tasks with the shapes of the lifecycle's stages: what both sides of the comparison run and validate.

import { z } from 'zod';

/** What a run is started with. */
export const params = z.object({
  model: z.string().min(1),
  source: z.string().startsWith('s3://'),
  epochs: z.number().int().positive().default(3),
});

const dataset = z.object({ id: z.string(), rows: z.number().int(), uri: z.string() });
const artifact = z.object({ uri: z.string(), digest: z.string(), sizeBytes: z.number().int() });
const metrics = z.object({ exactMatch: z.number(), samples: z.number().int() });
const verdict = z.object({ passed: z.boolean(), reasons: z.array(z.string()) });
const version = z.object({ model: z.string(), version: z.number().int().positive() });
const rollout = z.object({ outcome: z.string(), champion: z.number().int() });

interface Stage<In extends z.ZodType, Out extends z.ZodType> {
  readonly input: In;
  readonly output: Out;
  run(input: z.output<In>): z.input<Out>;
}

const stage = <In extends z.ZodType, Out extends z.ZodType>(of: Stage<In, Out>): Stage<In, Out> => of;

export const stages = {
  prepare: stage({
    input: z.object({ source: z.string() }),
    output: dataset,
    run: ({ source }) => ({ id: 'd-1', rows: 1_000, uri: `${source}d-1/` }),
  }),
  train: stage({
    input: z.object({ dataset, epochs: z.number().int() }),
    output: artifact,
    run: (input) => ({ uri: `${input.dataset.uri}model/`, digest: '0'.repeat(64), sizeBytes: input.epochs }),
  }),
  evaluate: stage({
    input: z.object({ artifact, dataset }),
    output: metrics,
    run: (input) => ({ exactMatch: 0.9, samples: input.dataset.rows }),
  }),
  judge: stage({
    input: z.object({ metrics }),
    output: verdict,
    run: (input) => ({ passed: input.metrics.exactMatch > 0.8, reasons: [] }),
  }),
  enrol: stage({
    input: z.object({ model: z.string(), artifact, verdict }),
    output: version,
    run: ({ model }) => ({ model, version: 1 }),
  }),
  deploy: stage({
    input: z.object({ version }),
    output: rollout,
    run: (input) => ({ outcome: 'promoted', champion: input.version.version }),
  }),
  announce: stage({
    input: z.object({ rollout }),
    output: z.object({ outcome: z.string() }),
    run: (input) => ({ outcome: input.rollout.outcome }),
  }),
};
export type Stages = typeof stages;
