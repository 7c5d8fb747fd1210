// The gate's rules as they stand in a model's file and in the pinned settings of a run; the constructors are in stats/gate.ts.

import { z } from 'zod';

const scope = {
  metric: z.string().min(1),
  minSamples: z.number().int().positive().optional(),
  slice: z.string().optional(),
  confident: z.boolean().optional(),
};

const gateRule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('atLeast'), bound: z.number(), ...scope }),
  z.strictObject({ kind: z.literal('atMost'), bound: z.number(), ...scope }),
  z.strictObject({
    kind: z.literal('notWorseThan'),
    baseline: z.literal('champion'),
    by: z.number().nonnegative(),
    higherIsBetter: z.boolean(),
    ...scope,
  }),
]);

export const gateSettings = z
  .array(gateRule)
  .min(1, 'a gate without rules lets everything through: give it at least one, such as atLeast(metric, bound)')
  .refine(
    (rules) => rules.some((rule) => rule.kind !== 'notWorseThan'),
    'the first version has no champion to be compared with: add a rule of its own, such as atLeast(metric, bound)',
  );
