// Tasks for the tests of wiring; they are never run.

import { z } from 'zod';

import type { ActivityTask } from '../../../dag/task.js';
import { task } from '../../../dag/task.js';

type Schema = z.ZodObject<Record<string, z.ZodType>>;

const anything = z.object({ value: z.json().optional(), after: z.json().optional() });
const answer = z.object({
  id: z.string(),
  ok: z.boolean(),
  score: z.number().nullable(),
  rows: z.array(z.object({ n: z.number() })),
});

/** A task that takes anything and promises an `answer`. */
export const named = (name: string): ActivityTask<typeof anything, typeof answer> =>
  task({
    name,
    version: '1',
    input: anything,
    output: answer,
    run: () => ({ id: name, ok: true, score: null, rows: [] }),
  });

export const taskWith = (name: string, input: Schema, output: Schema, version = '1'): ActivityTask<Schema, Schema> =>
  task({ name, version, input, output, run: () => ({}) });
