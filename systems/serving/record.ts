// The serving record: how a version is launched in an environment and where it answers. GatewayServing moves it by
// compare-and-set, gateways read it. It is never deleted: a retired version's record keeps its epoch from going back.

import { z } from 'zod';

const places = z.object({ gpus: z.number().int().nonnegative(), memoryBytes: z.number().int().nonnegative() });

/**
 * What happens to the JSON field `model` of a request on its way to the model server. Servers that are started with a
 * folder know their model by that folder, and refuse the name that users know.
 */
export const modelField = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('remove') }),
  z.object({ kind: z.literal('keep') }),
  z.object({ kind: z.literal('replace'), name: z.string().min(1) }),
]);
export type ModelField = z.infer<typeof modelField>;

const job = z.object({ compute: z.string(), host: z.string(), key: z.string(), epoch: z.number() });

const launchSettings = z.object({
  artifact: z.object({ uri: z.string(), digest: z.string(), sizeBytes: z.number() }),
  command: z.array(z.string()).min(1),
  compute: z.string(),
  wants: places,
  environment: z.record(z.string(), z.string()),
  healthPath: z.string().startsWith('/'),
});

export const servingRecord = z.object({
  schema: z.literal(1),
  environment: z.string(),
  model: z.string(),
  version: z.number().int().positive(),
  /** The key of the job: decided by whoever launched it first. */
  key: z.string().min(1),
  /** Those of earlier launches, so that a job of theirs which comes to light is known for what it is. */
  earlierKeys: z.array(z.string()).default([]),
  /** Moves on with every launch anew. */
  epoch: z.number().int().positive(),
  /**
   * `launching`: it has not been healthy yet · `running`: it was healthy, `url` is where · `retiring`: no more requests are
   * to reach it · `retired`: it is gone
   */
  phase: z.enum(['launching', 'running', 'retiring', 'retired']),
  launch: launchSettings,
  modelField,
  job: job.nullable(),
  /** Where it answers: set once it has answered its health check, so that nobody knocks too early. */
  url: z.url().nullable(),
  /** While `launching` in place of a server whose host is away: that server, which `url` is still about. */
  predecessor: job.nullable().default(null),
  /** How often it was launched anew because it had died; a successful stay of ten minutes starts the count again. */
  relaunches: z.number().int().nonnegative(),
  /** While `retiring`: when somebody else may finish the work. */
  retireBy: z.iso.datetime().nullable(),
  changedAt: z.iso.datetime(),
});
export type ServingRecord = z.infer<typeof servingRecord>;
