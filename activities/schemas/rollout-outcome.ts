// What canary-deploy and rollback give: how a rollout ended, and what its challenger did to live traffic.

import { z } from 'zod';

export const rolloutOutcome = z.object({
  /** The request's id: every write to the endpoint object bears it. */
  operationId: z.string(),
  kind: z.enum(['deploy', 'rollback']),
  /** `stopped`: a dry run · `unchanged`: there was nothing to do · `failed`: a rollback that could not be done. */
  outcome: z.enum(['promoted', 'rolled-back', 'unchanged', 'failed', 'stopped']),
  model: z.string(),
  /** The version that was deployed, or gone back to. */
  version: z.number().int().nullable(),
  /** What the endpoint serves afterwards; null: it has no champion. */
  champion: z.number().int().nullable(),
  /** Of the endpoint afterwards; null: there is no endpoint. */
  generation: z.number().int().nullable(),
  /** One sentence. */
  reason: z.string(),
  /** What the challenger did, weight by weight. */
  weights: z.array(
    z.object({
      weightPercent: z.number(),
      verdict: z.string(),
      explanation: z.string(),
      requests: z.number().int(),
      errors: z.number().int(),
    }),
  ),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
});
export type RolloutOutcome = z.output<typeof rolloutOutcome>;
