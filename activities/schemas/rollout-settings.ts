// How a model is served and rolled out: the settings that a model's file gives, with their defaults.

import { z } from 'zod';
import { parseWith } from '../../dag/validation.js';

const milliseconds = z.number().int().positive();
/** Of errors: one of 0 could never pass, and every version would be rolled back in the end. */
const errorShare = z.number().gt(0, 'must be above 0: no number of requests shows that none will ever fail').max(1);

/** How a version is served; kept with the version in the registry, so that it can be served again years later. */
export const serveSettings = z.object({
  /** `{model}` is replaced by the artifact's folder on the host, `{port}` by the port to listen on, `{python}` by the host's Python. */
  command: z.array(z.string()).min(1),
  /** The name of a compute system. */
  compute: z.string().default('local'),
  gpus: z.number().int().nonnegative().default(0),
  memoryBytes: z.number().int().nonnegative().default(0),
  /** Answers 200 once the server can take requests. */
  healthPath: z.string().startsWith('/').default('/health'),
  environment: z.record(z.string(), z.string()).default({}),
  /** Sent straight to a version before it gets any traffic, every body in turn; also what warms it. */
  probe: z.object({ path: z.string().startsWith('/'), bodies: z.array(z.string()).min(1) }),
});
export type ServeSettings = z.output<typeof serveSettings>;

const errorRateRule = z
  .strictObject({ kind: z.literal('errorRate'), max: errorShare.optional(), maxIncrease: errorShare.optional() })
  .refine((rule) => rule.max !== undefined || rule.maxIncrease !== undefined, 'give max, maxIncrease or both');
const latencyRule = z
  .strictObject({
    kind: z.literal('latency'),
    percentile: z.number().min(1).max(99.9),
    maxMs: z.number().positive().optional(),
    maxIncreasePercent: z.number().min(5, 'must be at least 5: gateways tell latencies no finer apart').optional(),
  })
  .refine(
    (rule) => rule.maxMs !== undefined || rule.maxIncreasePercent !== undefined,
    'give maxMs, maxIncreasePercent or both',
  );

const canaryRule = z.discriminatedUnion('kind', [errorRateRule, latencyRule]);

export const rolloutSettings = z.strictObject({
  /** The challenger's share of the traffic, step by step, in percent. */
  weights: z
    .array(z.number().positive().max(100))
    .min(1)
    .refine(
      (list) => list.every((weight, index) => index === 0 || weight > (list[index - 1] ?? 0)),
      'the weights must rise',
    )
    .default([10, 25, 50, 100]),
  /** How long a weight is watched at least. */
  pauseMs: milliseconds.default(10 * 60_000),
  /** Requests to the challenger that a verdict on a weight needs at least. */
  minRequests: z.number().int().positive().default(300),
  /** From the request to the commit; then it is rolled back, whatever it waits for. */
  deadlineMs: milliseconds.max(365 * 24 * 3_600_000, 'must be at most 31536000000 (365 days)').default(24 * 3_600_000),
  /** How often a weight may be watched for another `pauseMs` because nobody could tell. */
  inconclusiveLimit: z.number().int().nonnegative().default(3),
  /** What follows then: `pause` waits for a person, until the deadline. */
  onInconclusive: z.enum(['roll-back', 'pause']).default('roll-back'),
  /** A router that nobody tells to go on for this long sends all to the champion. */
  leaseMs: milliseconds.default(90_000),
  /** How long requests under way to a version that retires are waited for. */
  drainMs: milliseconds.default(30_000),
  /** How often the traffic is looked at. */
  analysisIntervalMs: milliseconds.default(10_000),
  /** How long a launched version may take until it is ready. */
  readyTimeoutMs: milliseconds.default(15 * 60_000),
  rules: z
    .array(canaryRule)
    .min(1)
    .default([{ kind: 'errorRate', maxIncrease: 0.01 }]),
});
export type RolloutSettings = z.output<typeof rolloutSettings>;
/** What a model's file may write. */
export type RolloutSettingsInput = z.input<typeof rolloutSettings>;

/** How a challenger takes over, in a model's file. Throws `InvalidInput` with every problem for what does not fit. */
export const canary = (settings: RolloutSettingsInput = {}): RolloutSettings =>
  parseWith(rolloutSettings, settings, 'canary');
