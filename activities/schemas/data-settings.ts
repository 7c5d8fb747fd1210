// How raw data becomes a data set: the `data` part of a model's file.

import { z } from 'zod';

export const dataFormats = ['jsonl', 'json', 'csv', 'parquet', 'text', 'markdown'] as const;
export type DataFormat = (typeof dataFormats)[number];

/** What is masked, and what stands in its place (`[EMAIL]`). */
export const personalDataClasses = ['email', 'phone', 'credit-card', 'iban', 'ip-address', 'us-ssn', 'secret'] as const;
export type PersonalDataClass = (typeof personalDataClasses)[number];

const percent = z.number().min(0).max(100);
const s3Prefix = z.string().startsWith('s3://');

const chunking = z
  .strictObject({
    maxTokens: z.number().int().min(8).default(512),
    overlapTokens: z.number().int().nonnegative().default(64),
    /** Shorter pieces are dropped, reason `too_short`. */
    minTokens: z.number().int().nonnegative().default(8),
    /** `words` counts words, for models whose tokenizer is none of OpenAI's. */
    tokenizer: z.enum(['o200k_base', 'cl100k_base', 'words']).default('o200k_base'),
  })
  .refine(({ maxTokens, overlapTokens }) => overlapTokens < maxTokens, 'the overlap must be smaller than the chunk');

/**
 * What a row's prompt and completion become: `{field}` is replaced by the record's field, cleaned and masked, and `{text_content}`
 * by the row's text; `{path}`, `{folder}` and `{file}` say where it is from. White space in the templates stays as it is.
 */
const instruction = z.strictObject({ prompt: z.string(), completion: z.string() });

const expectations = z.strictObject({
  minRows: z.number().int().nonnegative().optional(),
  /** Against the last accepted data set. */
  maxRowChangePercent: percent.optional(),
  /** Malformed rows among all that were read. */
  maxQuarantinedPercent: percent.default(1),
  /** Fields that at least one row in a hundred must have; against the last data set every field must still be there. */
  fields: z.array(z.string()).default([]),
  /** Largest change of the median text length against the last accepted data set. */
  maxLengthChangePercent: percent.optional(),
});

export const dataSettings = z
  .strictObject({
    source: z.union([s3Prefix, z.array(s3Prefix).min(1)]),
    /**
     * - `documents`: every file, or every record's text, is cut into chunks
     * - `records`: every record is one row
     */
    kind: z.enum(['documents', 'records']).default('documents'),
    /** From each file's ending where absent. */
    format: z.enum(dataFormats).optional(),
    /** Which fields of a record hold what. */
    fields: z
      .strictObject({
        id: z.string().optional(),
        text: z.string().default('text'),
        /** Rows of one source never meet in two splits. The record's id, or the document, where absent. */
        source: z.string().optional(),
        prompt: z.string().optional(),
        completion: z.string().optional(),
        messages: z.string().optional(),
      })
      .prefault({}),
    chunk: chunking.prefault({}),
    instruction: instruction.optional(),
    /** Fields that every row carries with it, and that an evaluation measures by, one by one. */
    slices: z.array(z.string()).default([]),
    deduplicate: z
      .strictObject({
        exact: z.boolean().default(true),
        /** Jaccard similarity of word 5-grams from which a row is a near-duplicate; null keeps them. */
        nearThreshold: z.number().min(0.5).max(1).nullable().default(0.85),
      })
      .prefault({}),
    mask: z.array(z.enum(personalDataClasses)).default([...personalDataClasses]),
    split: z
      .strictObject({
        validationPercent: percent.default(10),
        testPercent: percent.default(10),
        seed: z.number().int().default(7),
      })
      .refine((split) => split.validationPercent + split.testPercent < 100, 'something must be left to train on')
      .prefault({}),
    expect: expectations.prefault({}),
  })
  .refine(
    ({ fields }) => (fields.prompt === undefined) === (fields.completion === undefined),
    'fields.prompt and fields.completion go together',
  )
  .refine(({ fields }) => fields.messages === undefined || fields.prompt === undefined, {
    path: ['fields', 'messages'],
    message: 'holds prompts and answers, and so do fields.prompt and fields.completion: leave one of the two out',
  })
  .refine(({ fields, instruction: given }) => fields.messages === undefined || given === undefined, {
    path: ['instruction'],
    message: 'makes prompts and completions, and fields.messages takes messages as they are: leave one of the two out',
  });

export type DataSettings = z.output<typeof dataSettings>;
