// The gateway's admin API, as both sides read it: requests that a router takes, and answers that the worker believes.

import { z } from 'zod';

const generation = z.number().int().nonnegative();
const version = z.coerce.number().int().positive();

export const syncRequest = z.object({ model: z.string().min(1) });
export const syncAnswer = z.object({ generation });

export const leaseRequest = z.object({
  model: z.string().min(1),
  generation,
  trial: z.string().min(1),
  leaseMs: z.number().positive(),
});
export const leaseAnswer = z.discriminatedUnion('lease', [
  z.object({ lease: z.literal('held'), remainingMs: z.number() }),
  z.object({ lease: z.literal('expired') }),
  z.object({ lease: z.literal('other-generation'), generation }),
]);

export const modelQuery = z.object({ model: z.string().min(1) });
/** What became of users' requests to a model since the router started. */
const userRequestCounts = z.object({
  received: z.number(),
  /** Whole answers, those of 500 and above among them. */
  answered: z.number(),
  failed: z.number(),
  /** Users who were gone before their answer was. */
  left: z.number(),
  /** Answers that were broken off. */
  cut: z.number(),
  underWay: z.number(),
});
export type UserRequestCounts = z.infer<typeof userRequestCounts>;
/** `requests: null`: this router does not know the model. */
export const requestsAnswer = z.object({ requests: userRequestCounts.nullable() });

export const versionQuery = modelQuery.extend({ version });
/** `routed`: a new request could still go there. */
export const inFlightAnswer = z.object({ inFlight: z.number().int().nonnegative(), routed: z.boolean() });

export const windowQuery = versionQuery.extend({ windowMs: z.coerce.number().positive() });
/** `measurement: null`: this router does not know the model. */
export const windowAnswer = z.object({
  measurement: z
    .object({
      requests: z.number(),
      errors: z.number(),
      abandoned: z.number(),
      /** A gateway of an earlier build does not count them. */
      unanswered: z.number().default(0),
      latency: z.object({ boundsMs: z.array(z.number()), counts: z.array(z.number()) }),
      coveredMs: z.number(),
    })
    .nullable(),
});

export const adminError = z.object({ error: z.object({ type: z.string(), message: z.string() }) });
