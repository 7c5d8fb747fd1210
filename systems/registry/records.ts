// What the registry keeps in the object store: the schemas of its objects.

import { z } from 'zod';

const versionNumber = z.number().int().positive();
const tags = z.record(z.string(), z.string());

/** Immutable: written once, under the number that it carries. */
export const versionRecord = z.object({
  schema: z.literal(1),
  model: z.string(),
  version: versionNumber,
  artifact: z.object({ uri: z.string(), digest: z.string(), sizeBytes: z.number().int().nonnegative() }),
  lineage: z.object({
    datasetId: z.string(),
    codeVersion: z.string(),
    settingsDigest: z.string(),
    workflowId: z.string(),
    runId: z.string(),
    parentVersion: versionNumber.exactOptional(),
  }),
  metrics: z.json(),
  verdict: z.json(),
  serve: z.json(),
  tags,
  by: z.string(),
  createdAt: z.iso.datetime(),
});
export type VersionRecord = z.infer<typeof versionRecord>;

/** The number that an artifact is to get; it moves on only while another artifact holds that number. */
export const digestClaim = z.object({ schema: z.literal(1), digest: z.string(), version: versionNumber });
export type DigestClaim = z.infer<typeof digestClaim>;

/** Tags that were set after the registration; they win over those of the record. */
export const tagsRecord = z.object({ schema: z.literal(1), tags });

const aliasMove = z.object({
  alias: z.string(),
  generation: z.number().int().nonnegative(),
  at: z.iso.datetime(),
  from: versionNumber.nullable(),
  to: versionNumber.nullable(),
  by: z.string(),
  reason: z.string(),
});

/** All aliases of a model in an environment and their newest moves, in one object, so that both change in one act. */
export const aliasesRecord = z.object({
  schema: z.literal(1),
  model: z.string(),
  environment: z.string(),
  /** `version: null`: taken away; its generation still fences off older moves. */
  aliases: z.record(z.string(), z.object({ version: versionNumber.nullable(), generation: z.number().int() })),
  /** Older moves are in that many segments, numbered from 1. */
  segments: z.number().int().nonnegative(),
  moves: z.array(aliasMove),
});
export type AliasesRecord = z.infer<typeof aliasesRecord>;

export const aliasSegment = z.object({ schema: z.literal(1), moves: z.array(aliasMove) });
