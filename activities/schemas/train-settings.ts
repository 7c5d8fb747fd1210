// How a model is trained: the `train` part of a model's file, and the constructors of its recipes.

import { z } from 'zod';
import { parseWith } from '../../dag/validation.js';
import { hourMs, jobPlaces, ownProgram } from './job-places.js';

const count = z.number().int().positive();

const common = {
  seed: z.number().int().nonnegative().default(0),
  /** Times through the data, 1 unless `maxSteps` is given; where both are, what ends first counts. */
  epochs: z.number().positive().optional(),
  maxSteps: count.optional(),
  batchSize: count.default(8),
  gradientAccumulation: count.default(1),
  /** Longer examples lose the start of their prompt; plain text is cut into pieces. */
  maxTokens: z.number().int().min(2).default(1024),
  /** Below 1 a share of all steps, otherwise a number of steps. */
  warmup: z.number().nonnegative().default(0.03),
  weightDecay: z.number().nonnegative().default(0),
  scheduler: z.enum(['cosine', 'linear', 'constant']).default('cosine'),
  /** 0: gradients are not clipped. */
  maxGradientNorm: z.number().nonnegative().default(1),
  /** How often the validation split is looked at; at the end only where absent. */
  evalEverySteps: count.optional(),
  /** At most so many rows of the validation split, drawn from all of it: the same ones for every recipe. */
  evalRows: count.default(500),
  checkpointEverySteps: count.optional(),
  checkpointEverySeconds: z.number().min(1).default(300),
  /** `auto`: bfloat16 on a GPU that has it, float32 elsewhere. */
  precision: z.enum(['auto', 'bf16', 'fp32']).default('auto'),
  /**
   * - `plain`: the prompt as it is, then the answer, which begins with a space where nothing else parts the two; who asks the
   *   served model sends the prompt alone
   * - `chat`: both are put through the base model's chat template
   */
  promptFormat: z.enum(['plain', 'chat']).default('plain'),
  /** Less memory for more time. */
  gradientCheckpointing: z.boolean().default(false),
  /** CPU threads; as many as the process may use cores where absent. */
  threads: count.optional(),
};

const loraRecipe = z.strictObject({
  kind: z.literal('lora'),
  rank: count.default(16),
  /** Twice the rank where absent. */
  alpha: z.number().nonnegative().optional(),
  dropout: z.number().min(0).max(0.99).default(0),
  /** Every linear layer but the output where absent. */
  targetModules: z.array(z.string()).min(1).optional(),
  learningRate: z.number().nonnegative().default(2e-4),
  /** Into the base model, so that any server loads the artifact as it is. */
  merge: z.boolean().default(true),
  ...common,
});

const fullRecipe = z.strictObject({
  kind: z.literal('full'),
  learningRate: z.number().nonnegative().default(2e-5),
  ...common,
});

export const recipe = z.discriminatedUnion('kind', [loraRecipe, fullRecipe]);
export type Recipe = z.output<typeof recipe>;

/** Trains small matrices beside the base model's own (Hu et al. 2021). Throws `InvalidInput` with every problem for what does not fit. */
export const lora = (settings: Omit<z.input<typeof loraRecipe>, 'kind'> = {}): Recipe =>
  parseWith(loraRecipe, { kind: 'lora', ...settings }, 'lora');

/** Trains every weight of the base model. Throws `InvalidInput` with every problem for what does not fit. */
export const full = (settings: Omit<z.input<typeof fullRecipe>, 'kind'> = {}): Recipe =>
  parseWith(fullRecipe, { kind: 'full', ...settings }, 'full');

/** Of all that fine-tune does: waiting for a host and going on elsewhere included. */
export const trainDeadline = '14d';

export const trainSettings = z
  .strictObject({
    /** `s3://bucket/prefix/`, a folder on the training host (`/models/base`), or a name on the hub (`org/name@revision`). */
    base: z.string().min(1).optional(),
    recipe: recipe.prefault({ kind: 'lora' }),
    ...jobPlaces,
    timeLimitMs: jobPlaces.timeLimitMs
      .max(13 * 24 * hourMs, 'must be at most 1123200000 (13 days), since the whole stage has 14 days')
      .default(24 * hourMs),
    ...ownProgram,
  })
  .refine(
    (train) => train.base !== undefined || train.command !== undefined,
    'needs a base model, or a command of its own',
  )
  .refine((train) => train.wants.gpus <= 1 || train.command !== undefined, {
    path: ['wants', 'gpus'],
    message:
      "Pawl's own trainer uses one GPU: want 1, or train with a command of your own that uses more (torchrun, say)",
  });

export type TrainSettings = z.output<typeof trainSettings>;
