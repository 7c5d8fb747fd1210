// Where a stage's job runs and what it may use: the part that training and evaluation have in common.

import { z } from 'zod';

const minuteMs = 60_000;
/** Small files travel with the job's submission, so all of them together stay small. */
const maxFilesBytes = 256 * 1024;

const relativePath = z
  .string()
  .regex(
    /^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[\w.@/-]+$/,
    'must be a relative path of letters, digits, ".", "_", "@", "-" and "/"',
  );

export const jobPlaces = {
  /** The name of a compute system; in a model's file, an evaluation's is training's unless set. */
  compute: z.string().min(1).default('local'),
  /** What a host must have free before the job is submitted; in a model's file, an evaluation's is as training's unless set. */
  wants: z
    .strictObject({
      gpus: z.number().int().nonnegative().default(0),
      memoryBytes: z.number().int().nonnegative().default(0),
    })
    .prefault({}),
  /** The host ends the job then, whoever watches. */
  timeLimitMs: z.number().int().min(1_000),
  /** How long a host may be silent until it is given up and the job goes on elsewhere from its last checkpoint. */
  hostGraceMs: z
    .number()
    .int()
    .min(1_000)
    .default(10 * minuteMs),
  /** A program that writes nothing for so long counts as frozen and is started anew: half an hour for Pawl's own, never for others, unless set. */
  stallMs: z.number().int().min(1_000).optional(),
  /** Names of variables of the worker's environment that the job is given; the values are never in a history. */
  environment: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable'))
    .default([]),
};

const places = z.object({
  train: z.object({ compute: jobPlaces.compute, wants: jobPlaces.wants }),
  evaluate: z.object({ command: z.unknown().optional() }).prefault({}),
});

/**
 * Of a model's file: what was trained on a host can be evaluated there, so an evaluation that names no compute, or does not say
 * what it wants, has training's; Pawl's own program of evaluation uses one GPU.
 */
export function evaluatedWhereTrained<File extends { evaluate?: object | undefined }>(file: File): File {
  const given = places.safeParse(file);
  // What is wrong with training's place is said once, of training.
  if (!given.success) return file;
  const { compute, wants } = given.data.train;
  const gpus = given.data.evaluate.command === undefined ? Math.min(wants.gpus, 1) : wants.gpus;
  return { ...file, evaluate: { compute, wants: { ...wants, gpus }, ...file.evaluate } };
}

/** A team's own program, under the same contract, in place of Pawl's. */
export const ownProgram = {
  /** Program and arguments, never a shell line; `{python}` is the host's Python, `{dir}` the job's folder. */
  command: z.array(z.string().min(1)).min(1).optional(),
  /** Put into the job's folder before it starts: relative path → content. */
  files: z
    .record(relativePath, z.string())
    .refine(
      (files) => Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= maxFilesBytes,
      'must be at most 256 KB together: put what is larger into the object store, or on the host',
    )
    .default({}),
  /** What the program finds under `settings` in its spec file. */
  settings: z.record(z.string(), z.json()).default({}),
};

export const hourMs = 60 * minuteMs;
