// The endpoint object: the one truth about what an endpoint serves.

import { z } from 'zod';

const versionNumber = z.number().int().positive();

/** A version that was taken back, by whom and why. */
const revocation = z
  .object({ version: versionNumber, by: z.string(), reason: z.string(), at: z.iso.datetime() })
  .readonly();
export type Revocation = z.infer<typeof revocation>;

export const endpointChangeKinds = [
  'trial', // a challenger was named, at weight 0
  'weight', // the challenger's weight changed
  'promote', // the commit: champion = challenger
  'abort', // the challenger was taken off
  'expire', // the challenger was taken off because its lease ran out
  'rollback', // champion = an earlier version
  'champion-only', // an operator took the challenger off with `pawl traffic`
  'reconcile', // a lost or corrupt object was written anew
] as const;

export const endpointState = z
  .object({
    schema: z.literal(1),
    environment: z.string(),
    model: z.string(),
    /** Rises by one with every write. */
    generation: z.number().int().positive(),
    /** The write that made this content; a writer that finds its own here has won. */
    operationId: z.string(),
    champion: versionNumber.nullable(),
    /** What `rollback` goes back to. */
    previous: versionNumber.nullable(),
    challenger: versionNumber.nullable(),
    /** Percent; they sum to 100. */
    weights: z.object({ champion: z.number().min(0).max(100), challenger: z.number().min(0).max(100) }),
    /** A router that has not had the lease renewed for this long sends all to the champion. */
    leaseMs: z.number().int().positive(),
    /** The operation whose trial is on; null where there is no challenger. */
    trial: z.string().nullable(),
    /** Versions that were taken back: no run rolls them out again by itself. Oldest first. */
    revoked: z.array(revocation).readonly().default([]),
    change: z.object({
      kind: z.enum(endpointChangeKinds),
      by: z.string(),
      reason: z.string(),
      at: z.iso.datetime(),
    }),
  })
  .refine((state) => state.weights.champion + state.weights.challenger === 100, 'the weights must sum to 100')
  .refine((state) => (state.challenger === null) === (state.trial === null), 'a challenger belongs to a trial')
  .refine((state) => state.challenger !== null || state.weights.challenger === 0, 'no challenger, no weight')
  .refine((state) => state.revoked.every(({ version }) => version !== state.champion), 'the champion is not revoked')
  .readonly();

export type EndpointState = z.infer<typeof endpointState>;
export type EndpointChangeKind = (typeof endpointChangeKinds)[number];
