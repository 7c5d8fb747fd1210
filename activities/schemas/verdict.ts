// What gate gives: a verdict, explained rule by rule.

import { z } from 'zod';

const ruleOutcome = z.object({
  /** As a person would say it: `exactMatch ≥ 0.8 on 500 samples`. */
  rule: z.string(),
  /** `not-applicable`: a rule against the champion, where the endpoint has none; it neither passes nor fails. */
  result: z.enum(['pass', 'fail', 'missing', 'not-applicable']),
  value: z.number().nullable(),
  baseline: z.number().nullable(),
  bound: z.number().nullable(),
  samples: z.number().int().nullable(),
  explanation: z.string(),
});

export const verdict = z.object({
  passed: z.boolean(),
  outcome: z.enum(['accepted', 'rejected']),
  rules: z.array(ruleOutcome),
  /** One sentence. */
  summary: z.string(),
});
export type Verdict = z.infer<typeof verdict>;
